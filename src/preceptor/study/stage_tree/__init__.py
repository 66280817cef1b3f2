"""The stage tree: each stage is found under its key or done once, and what it came to is kept beside it."""
