"""From a comparison to a verdict: what may be said, and what may not."""

from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from preceptor.evidence._compare import TANGO, Comparison
from preceptor.evidence.metrics import Better

Verdict = Literal["better", "worse", "equivalent", "inconclusive"]

SIGNIFICANCE = 0.05
FEWEST_PATIENTS = 20
FEWEST_OF_A_CLASS = 10
"""Patients, in all and of each class that occurs: below these the numbers only describe those at hand."""

FEWEST_DIFFERING = 10
"""Patients on whom the arms must differ before resampling can tell how rarely they do."""


@dataclass(frozen=True)
class Judgement:
    """What a comparison shows of arm a against arm b.

    `less_than_matters`: better or worse, but surely by less than the margin. `below_margin`: a is shown to be better
    by less than the margin, if at all (one-sided, 95%). `descriptive`: why nothing may be concluded; None where
    something may.
    """

    verdict: Verdict
    less_than_matters: bool = False
    below_margin: bool = False
    descriptive: str | None = None


def judge(
    comparison: Comparison, p_adjusted: float, margin: float | None = None, *, better: Better = "higher"
) -> Judgement:
    """What the comparison shows of arm a against arm b, in a metric of which `better` says which values are.

    `better`, `worse`: adjusted p below .05 and the 95% interval without 0. `equivalent`: the 90% interval lies inside
    +-`margin`, which only the user can set. `inconclusive`: everything else, also a test and an interval that
    disagree, and too few patients, in all or of a class.
    """
    if why := why_descriptive(comparison):
        return Judgement("inconclusive", descriptive=why)
    if better == "lower":
        comparison = _turned(comparison)
    capped = margin is not None and _below(comparison.high_90, margin, comparison)
    floored = margin is not None and comparison.low_90 is not None and _below(-comparison.low_90, margin, comparison)
    significant = p_adjusted < SIGNIFICANCE
    if significant != excludes_zero(comparison):
        return Judgement("inconclusive", below_margin=capped)
    if significant:
        direction: Verdict = "better" if comparison.delta > 0 else "worse"
        return Judgement(direction, less_than_matters=capped and floored, below_margin=capped)
    return Judgement("equivalent" if capped and floored else "inconclusive", below_margin=capped)


def compared_fields(comparison: Comparison, judgement: Judgement) -> dict[str, Any]:
    """What is said of a comparison and of what it shows, by the names that the fields have in `results.json`."""
    names = ("delta", "p", "test", "interval", "n", "patients", "differing")
    intervals = {"ci": (comparison.low, comparison.high), "ci_90": (comparison.low_90, comparison.high_90)}
    return {name: getattr(comparison, name) for name in names} | intervals | asdict(judgement)


def why_descriptive(comparison: Comparison) -> str | None:
    """Why these cases allow no conclusion, in words; None when they do."""
    if comparison.patients < FEWEST_PATIENTS:
        return f"{comparison.patients} patients, and at least {FEWEST_PATIENTS} are needed"
    if comparison.effective_patients < FEWEST_PATIENTS:
        weigh = f"weigh as much as {comparison.effective_patients:.0f} with equally many cases"
        return f"a few patients hold most cases: all {weigh}, and at least {FEWEST_PATIENTS} are needed"
    if comparison.smallest_class == 0:
        return "all cases are of one class, and at least two are needed"
    if comparison.smallest_class is not None and comparison.smallest_class < FEWEST_OF_A_CLASS:
        return f"a class has fewer than the {FEWEST_OF_A_CLASS} patients that are needed"
    return None


def excludes_zero(comparison: Comparison) -> bool:
    """Whether the 95% interval leaves out 0."""
    if comparison.low is None or comparison.high is None:
        return False
    return comparison.low > 0 or comparison.high < 0


def _turned(comparison: Comparison) -> Comparison:
    """Arm b minus arm a."""
    low, high, low_90, high_90 = (
        None if end is None else -end
        for end in (comparison.high, comparison.low, comparison.high_90, comparison.low_90)
    )
    return replace(comparison, delta=-comparison.delta, low=low, high=high, low_90=low_90, high_90=high_90)


def _below(bound: float | None, margin: float, comparison: Comparison) -> bool:
    """Whether an end of the 90% interval, a one-sided 95% bound, shows that the difference is below the margin.

    Resampling cannot see what none of a few patients happened to show; Tango's interval can.
    """
    believable = comparison.interval == TANGO or comparison.differing >= FEWEST_DIFFERING
    return believable and bound is not None and bound < margin
