"""Stage kinds: one file each, found by its name; adding a kind is adding a file. `spec/found.py` says what it has."""
