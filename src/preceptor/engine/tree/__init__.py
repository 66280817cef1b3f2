"""A batch as a prefix tree: layout, attention along its paths, log-probabilities of its answers."""
