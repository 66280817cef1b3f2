"""How two arms differ on the same held-out patients: a paired interval and a paired test."""

from dataclasses import dataclass

import numpy as np
from statsmodels.stats.contingency_tables import mcnemar

from preceptor.evidence._metrics import Metric
from preceptor.evidence._resampling import SWAPS, expanded_interval, resampled_weights, swaps
from preceptor.evidence._sample import Floats, Sample

_ROUNDING = 1e-9  # two differences closer than this are the same difference

MCNEMAR = "exact McNemar"
SWAP_TEST = "arms swapped within patients"


@dataclass(frozen=True)
class Comparison:
    """Arm a minus arm b in one metric, in the metric's unit.

    `low`, `high` bound the 95% interval and `low_90`, `high_90` the 90% one that equivalence asks for; all four are
    None where no interval can be given (one patient only). `p` is two-sided and unadjusted, `test` names its test.
    `n` counts cases, `patients` the patients they come from.
    """

    delta: float
    low: float | None
    high: float | None
    low_90: float | None
    high_90: float | None
    p: float
    test: str
    n: int
    patients: int


def compare(metric: Metric, a: Sample, b: Sample, *, seed: int) -> Comparison:
    """Compare two arms on the same cases in the same order; ValueError when they are not, or the metric is undefined.

    Interval: both arms recomputed on the same resampled patients. Test: exact McNemar for accuracy with one case a
    patient, else the two arms swapped within a random half of the patients.
    """
    _require_paired(a, b)
    totals_a, totals_b = a.by_patient(metric.terms(a)), b.by_patient(metric.terms(b))
    delta = _difference(metric, totals_a.sum(axis=0), totals_b.sum(axis=0))
    if np.isnan(delta):
        raise ValueError(f"{metric.name} is undefined for these cases, so there is nothing to compare")
    patients = len(totals_a)
    rng = np.random.default_rng(seed)
    blocks = resampled_weights(patients, rng)
    deltas = np.concatenate([_difference(metric, weights @ totals_a, weights @ totals_b) for weights in blocks])
    low, high = expanded_interval(deltas, patients, 0.95) or (None, None)
    low_90, high_90 = expanded_interval(deltas, patients, 0.90) or (None, None)
    one_case_each = patients == len(a)
    if metric.name == "accuracy" and one_case_each:
        test, p = MCNEMAR, _mcnemar_p(totals_a[:, 0], totals_b[:, 0])
    else:
        test, p = SWAP_TEST, _swap_p(metric, totals_a, totals_b, float(delta), rng)
    return Comparison(float(delta), low, high, low_90, high_90, p, test, len(a), patients)


def _require_paired(a: Sample, b: Sample) -> None:
    if not np.array_equal(a.groups, b.groups):
        raise ValueError("the two arms do not hold the same patients in the same order")
    if a.gold is not None and b.gold is not None and not np.array_equal(a.gold, b.gold):
        raise ValueError("the two arms do not hold the same gold labels in the same order")


def _difference(metric: Metric, sums_a: Floats, sums_b: Floats) -> Floats:
    return metric.value(sums_a) - metric.value(sums_b)


def _mcnemar_p(hits_a: Floats, hits_b: Floats) -> float:
    """Exact two-sided p of McNemar's test from the hits (n,) of two arms; 1 when they never disagree."""
    table = [[np.sum((hits_a == i) & (hits_b == j)) for j in (1, 0)] for i in (1, 0)]
    return float(mcnemar(table, exact=True).pvalue)


def _swap_p(metric: Metric, totals_a: Floats, totals_b: Floats, delta: float, rng: np.random.Generator) -> float:
    """Two-sided permutation p, (count + 1) / (swaps + 1), so never 0 (Phipson and Smyth 2010, eq. 2).

    Were the two arms alike, either one's answers for a patient could as well have been the other's.
    """
    as_large = 0
    for swap in swaps(len(totals_a), rng):
        moved = swap @ (totals_b - totals_a)
        swapped = _difference(metric, totals_a.sum(axis=0) + moved, totals_b.sum(axis=0) - moved)
        as_large += int(np.sum(np.abs(swapped) >= abs(delta) - _ROUNDING))
    return (as_large + 1) / (SWAPS + 1)
