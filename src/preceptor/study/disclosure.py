"""Disclosure control: which groups of patients are too small to be named in results."""

FEWEST_PATIENTS = 5
"""The value of a smaller group is not told: in a column of names, or of rare illnesses, it tells who they are."""

RARE = f"values of fewer than {FEWEST_PATIENTS} patients each"
"""Stands for all such values of a column."""
