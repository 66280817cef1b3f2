"""The stage tree: what each arm is trained by, kept under a key."""
