"""Corrections for many tests: one for the few that decide, one for the many that only describe."""

from collections.abc import Sequence

from statsmodels.stats.multitest import multipletests


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's adjusted p of one family of contrasts, in the order given: any false claim among them stays rare."""
    return _adjusted(p_values, "holm")


def benjamini_hochberg(p_values: Sequence[float]) -> list[float]:
    """Benjamini and Hochberg's adjusted p, in the order given: of the claims made, few are false."""
    return _adjusted(p_values, "fdr_bh")


def _adjusted(p_values: Sequence[float], method: str) -> list[float]:
    return [float(p) for p in multipletests(p_values, method=method)[1]] if p_values else []
