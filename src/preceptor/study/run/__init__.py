"""The run folder: locks, provenance, failures, and what a purge takes out of it."""
