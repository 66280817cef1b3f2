"""How the arms answer held-out cases, and the predictions that are kept."""
