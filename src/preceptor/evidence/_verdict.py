"""From a comparison to a verdict: what may be said, and what may not."""

from collections.abc import Sequence
from typing import Literal

from statsmodels.stats.multitest import multipletests

from preceptor.evidence._compare import Comparison

Verdict = Literal["better", "worse", "equivalent", "inconclusive"]

SIGNIFICANCE = 0.05
FEWEST_PATIENTS = 20  # below this the numbers only describe these patients


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's adjusted p of one family of contrasts, in the order given."""
    return [float(p) for p in multipletests(p_values, method="holm")[1]] if p_values else []


def judge(comparison: Comparison, p_adjusted: float, margin: float | None = None) -> Verdict:
    """What the comparison shows of arm a against arm b.

    `better`, `worse`: adjusted p below .05 and the 95% interval without 0. `equivalent`: the 90% interval lies inside
    +-`margin`, which only the user can set. `inconclusive`: everything else, fewer than 20 patients, and a test and an
    interval that disagree.
    """
    if comparison.patients < FEWEST_PATIENTS:
        return "inconclusive"
    significant = p_adjusted < SIGNIFICANCE
    if significant != excludes_zero(comparison):
        return "inconclusive"
    if significant:
        return "better" if comparison.delta > 0 else "worse"
    return "equivalent" if margin is not None and _inside(comparison, margin) else "inconclusive"


def excludes_zero(comparison: Comparison) -> bool:
    """Whether the 95% interval leaves out 0."""
    if comparison.low is None or comparison.high is None:
        return False
    return comparison.low > 0 or comparison.high < 0


def _inside(comparison: Comparison, margin: float) -> bool:
    """Whether the 90% interval lies inside the margin. One without width (the arms never differed) shows nothing:
    resampling cannot see a difference that these patients happened not to show."""
    low, high = comparison.low_90, comparison.high_90
    return low is not None and high is not None and low < high and -margin < low and high < margin
