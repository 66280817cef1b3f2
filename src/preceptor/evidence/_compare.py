"""How two arms differ on the same held-out patients: a paired interval and a paired test."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from statsmodels.stats.contingency_tables import mcnemar

from preceptor.evidence._metrics import Metric
from preceptor.evidence._resampling import RESAMPLES, SWAPS, expanded_interval, resampled_weights, swaps
from preceptor.evidence._sample import Floats, Ints, Sample
from preceptor.evidence._tango import tango_interval

_ROUNDING = 1e-9  # two differences closer than this are the same difference

MCNEMAR = "exact McNemar"
SWAP_TEST = "arms swapped within patients"
TANGO = "Tango's score interval"
RESAMPLED = "expanded percentile, patients resampled"


@dataclass(frozen=True)
class Comparison:
    """Arm a minus arm b in one metric, in the metric's unit: the mean over seeds, each seed of a with its seed of b.

    `low`, `high` bound the 95% interval and `low_90`, `high_90` the 90% one that equivalence asks for, unadjusted, made
    by `interval`; all four are None where no interval can be given (one patient only). `p` is two-sided and unadjusted,
    `test` names its test. `n` counts cases, `patients` the patients they come from, `differing` the patients on whom
    the arms differ; `effective_patients` is as many patients with equally many cases as would weigh the same.
    `smallest_class` counts the cases of the rarest label that occurs, 0 where only one does; None for scores.
    `variance` is that of the difference, a patient.
    """

    delta: float
    low: float | None
    high: float | None
    low_90: float | None
    high_90: float | None
    p: float
    test: str
    interval: str
    n: int
    patients: int
    effective_patients: float
    differing: int
    smallest_class: int | None
    variance: float
    seed_deltas: tuple[float, ...]


def compare(
    metric: Metric,
    a: Sequence[Sample],
    b: Sequence[Sample],
    *,
    seed: int,
    resamples: int = RESAMPLES,
    swapped: int = SWAPS,
) -> Comparison:
    """Compare two arms, one sample a seed, paired in order: the same cases in the same order in every sample.

    Accuracy, one case a patient, one seed: Tango's score interval and exact McNemar. Everything else: both arms and all
    seeds recomputed on the same `resamples` of patients, and the two arms swapped within a random half of the patients,
    in all seeds together, `swapped` times. So patients are drawn anew and the trained models are not: what is said
    holds for these models. ValueError when the samples do not pair up, or the metric is undefined.
    """
    _require_paired(a, b)
    first = a[0]
    totals_a, totals_b = _totals(metric, a), _totals(metric, b)
    deltas = metric.value(totals_a.sum(axis=1)) - metric.value(totals_b.sum(axis=1))
    if np.any(np.isnan(deltas)):
        raise ValueError(f"{metric.name} is undefined for these cases, so there is nothing to compare")
    cases = first.by_patient(np.ones((len(first), 1)))[:, 0]
    if metric.name == "accuracy" and len(cases) == len(first) and len(a) == 1:
        found = _proportions(totals_a[0, :, 0], totals_b[0, :, 0])
    else:
        found = _resampled(metric, totals_a, totals_b, np.random.default_rng(seed), resamples, swapped)
    return Comparison(
        delta=float(deltas.mean()),
        low=found.low,
        high=found.high,
        low_90=found.low_90,
        high_90=found.high_90,
        p=found.p,
        test=found.test,
        interval=found.interval,
        n=len(first),
        patients=len(cases),
        effective_patients=float(cases.sum() ** 2 / (cases**2).sum()),  # Kish 1965, section 11.7
        differing=_differing(totals_a, totals_b),
        smallest_class=None if first.gold is None else _smallest_class(first.gold),
        variance=found.variance,
        seed_deltas=tuple(deltas.tolist()),
    )


@dataclass(frozen=True)
class _Found:
    low: float | None
    high: float | None
    low_90: float | None
    high_90: float | None
    p: float
    test: str
    interval: str
    variance: float


def _require_paired(a: Sequence[Sample], b: Sequence[Sample]) -> None:
    if not a or len(a) != len(b):
        raise ValueError(f"each seed needs both arms, and there are {len(a)} samples of one and {len(b)} of the other")
    first = a[0]
    for other in (*a, *b):
        if not np.array_equal(first.groups, other.groups):
            raise ValueError("the two arms do not hold the same patients in the same order")
        if first.gold is not None and other.gold is not None and not np.array_equal(first.gold, other.gold):
            raise ValueError("the two arms do not hold the same gold labels in the same order")


def _differing(totals_a: Floats, totals_b: Floats) -> int:
    """On how many patients the terms (seeds, patients, c) of two arms differ, in any seed."""
    return int(np.any(totals_a != totals_b, axis=(0, 2)).sum())


def _smallest_class(gold: Ints) -> int:
    _, counts = np.unique(gold, return_counts=True)
    return int(counts.min()) if len(counts) > 1 else 0


def _totals(metric: Metric, samples: Sequence[Sample]) -> Floats:
    """(seeds, patients, c): the metric's terms added up within each patient."""
    return np.stack([sample.by_patient(metric.terms(sample)) for sample in samples])


def _proportions(hits_a: Floats, hits_b: Floats) -> _Found:
    """Interval and test from the hits (n,) of two arms, one case a patient."""
    table = [[int(np.sum((hits_a == i) & (hits_b == j))) for j in (1, 0)] for i in (1, 0)]
    only_a, only_b, n = table[0][1], table[1][0], len(hits_a)
    low, high = tango_interval(only_a, only_b, n, 0.95)
    low_90, high_90 = tango_interval(only_a, only_b, n, 0.90)
    p = float(mcnemar(table, exact=True).pvalue)
    return _Found(low, high, low_90, high_90, p, MCNEMAR, TANGO, (only_a + only_b) / n)


def _resampled(
    metric: Metric, totals_a: Floats, totals_b: Floats, rng: np.random.Generator, resamples: int, swapped: int
) -> _Found:
    """Interval and test from the terms (seeds, patients, c) of two arms."""
    patients = totals_a.shape[1]
    blocks = resampled_weights(patients, rng, resamples)
    deltas = np.concatenate([_difference(metric, weights @ totals_a, weights @ totals_b) for weights in blocks])
    low = high = low_90 = high_90 = None
    if patients > 1:
        # Only patients on whom the arms differ tell how much they do, so these are the ones the expansion counts.
        telling = max(2, _differing(totals_a, totals_b))
        low, high = expanded_interval(deltas, telling, 0.95) or (None, None)
        low_90, high_90 = expanded_interval(deltas, telling, 0.90) or (None, None)
    p = _swap_p(metric, totals_a, totals_b, rng, swapped)
    # A resample varies by (n - 1) / n of what patients drawn from the population would.
    variance = float(np.nanvar(deltas)) * patients * patients / max(1, patients - 1)
    return _Found(low, high, low_90, high_90, p, SWAP_TEST, RESAMPLED, variance)


def _difference(metric: Metric, sums_a: Floats, sums_b: Floats) -> Floats:
    """(seeds, rows, c) of each arm -> (rows,): the mean over seeds."""
    mean: Floats = (metric.value(sums_a) - metric.value(sums_b)).mean(axis=0)
    return mean


def _swap_p(metric: Metric, totals_a: Floats, totals_b: Floats, rng: np.random.Generator, swapped: int) -> float:
    """Two-sided permutation p, (count + 1) / (swaps + 1), so never 0 (Phipson and Smyth 2010, eq. 2).

    Were the two arms alike, either one's answers for a patient could as well have been the other's.
    """
    sums_a, sums_b = totals_a.sum(axis=1, keepdims=True), totals_b.sum(axis=1, keepdims=True)
    delta = abs(_difference(metric, sums_a, sums_b)[0])
    as_large = 0
    for swap in swaps(totals_a.shape[1], rng, swapped):
        moved = swap @ (totals_b - totals_a)
        found = _difference(metric, sums_a + moved, sums_b - moved)
        as_large += int(np.sum(np.abs(found) >= delta - _ROUNDING))
    return (as_large + 1) / (swapped + 1)
