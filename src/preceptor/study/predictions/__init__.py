"""From an arm to its answers to the held-out cases, and where these are kept."""
