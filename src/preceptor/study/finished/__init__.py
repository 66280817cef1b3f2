"""A run that is opened again: its arms, cases and pairs."""
