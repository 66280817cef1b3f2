"""The study file: its settings and their problems."""
