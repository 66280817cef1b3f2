"""Ways of answering held-out cases: one file each, found by its name. `spec/found.py` says what such a file has."""
