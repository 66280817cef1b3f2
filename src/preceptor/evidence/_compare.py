"""How two arms differ on the same held-out patients: a paired interval and a paired test."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from statsmodels.stats.contingency_tables import mcnemar

from preceptor.evidence._estimate import value_of
from preceptor.evidence._paired import Paired, count_differing, paired
from preceptor.evidence._resampling import RESAMPLES, SEED, SWAPS, expanded_interval, resampled_weights, swaps
from preceptor.evidence._sample import Ints, Sample
from preceptor.evidence._seeds import FEWEST_SEEDS, across_seeds
from preceptor.evidence._tango import tango_interval
from preceptor.evidence.metrics import Metric
from preceptor.progress import Advance, quiet

_ROUNDING = 1e-9  # two differences closer than this are the same difference

_DIFFERING = 2_000
"""What it counts as, beside resamples, to find the patients on whom two arms differ."""
COMPARING = RESAMPLES + SWAPS + _DIFFERING
"""What `compare` counts up to."""

MCNEMAR = "exact McNemar"
SWAP_TEST = "arms swapped within patients"
TANGO = "Tango's score interval"
RESAMPLED = "expanded percentile, patients resampled"
SEED_TEST = "t over seeds and patients"
ACROSS_SEEDS = "t, seeds and patients"


@dataclass(frozen=True)
class Comparison:
    """Arm a minus arm b in one metric, in the metric's unit: the mean over seeds, each seed of a with its seed of b.

    `low`, `high` bound the 95% interval and `low_90`, `high_90` the 90% one that equivalence asks for, unadjusted, made
    by `interval`; all four are None where no interval can be given (one patient only). `p` is two-sided and unadjusted,
    `test` names its test. `n` counts cases, `patients` the patients they come from, `differing` the patients on whom
    the metric tells the arms apart; `effective_patients` is as many patients with equally many cases as would weigh the
    same. `smallest_class` counts the patients with the label that fewest have of those that occur, 0 where only one
    does; of several labels a case, for metrics that are a mean over labels, the patients with or without one, the
    fewest; None for all else.
    `variance` is that of the difference, a patient; `seed_error` the standard error of the mean over seeds where they
    are enough to speak of the method, else 0.
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
    seed_error: float = 0.0


def compare(
    metric: Metric,
    a: Sequence[Sample],
    b: Sequence[Sample],
    *,
    seed: int = SEED,
    resamples: int = RESAMPLES,
    swapped: int = SWAPS,
    advance: Advance = quiet,
) -> Comparison:
    """Compare two arms, one sample a seed, paired in order: the same cases in the same order in every sample.

    A share of cases, one case a patient, one seed: Tango's score interval and exact McNemar. Everything else: both arms
    and all seeds recomputed on the same `resamples` of patients, and the two arms swapped within a random half of the
    patients, in all seeds together, `swapped` times. So patients are drawn anew and the trained models are not: what is
    said holds for these models. With `FEWEST_SEEDS` or more, interval and test are those of `across_seeds`, and what is
    said holds for the method. `advance` counts up to `COMPARING` with the usual numbers. ValueError when the samples do
    not pair up, or the metric is undefined.
    """
    _require_paired(a, b)
    first = a[0]
    values = [(value_of(metric, one), value_of(metric, other)) for one, other in zip(a, b, strict=True)]
    deltas = [one - other for one, other in values if one is not None and other is not None]
    if len(deltas) < len(values):
        raise ValueError(f"{metric.name} is undefined for these cases, so there is nothing to compare")
    patient = first.patient_of_case()
    cases = np.bincount(patient)
    differing = count_differing(metric, a, b, patient, lambda share: advance(_DIFFERING * share / len(a)))
    of_method = len(deltas) >= FEWEST_SEEDS and len(cases) > 1
    if metric.hits and len(cases) == len(first) and len(a) == 1:
        found = _proportions(metric.hits(a[0]), metric.hits(b[0]))
    else:
        swapped = 0 if of_method else swapped  # whose p comes from its own interval
        found = _resampled(paired(metric, a, b, patient), len(cases), differing, seed, resamples, swapped, advance)
    if of_method:
        found = _of_method(found, deltas, len(cases))
    return Comparison(
        delta=float(np.mean(deltas)),
        **found._asdict(),
        n=len(first),
        patients=len(cases),
        effective_patients=float(cases.sum() ** 2 / (cases**2).sum()),  # Kish 1965, section 11.7
        differing=differing,
        smallest_class=_smallest_class(metric, first, patient),
        seed_deltas=tuple(deltas),
    )


class _Found(NamedTuple):
    low: float | None
    high: float | None
    low_90: float | None
    high_90: float | None
    p: float
    test: str
    interval: str
    variance: float
    seed_error: float = 0.0


def _require_paired(a: Sequence[Sample], b: Sequence[Sample]) -> None:
    if not a or len(a) != len(b):
        raise ValueError(f"each seed needs both arms, and there are {len(a)} samples of one and {len(b)} of the other")
    first = a[0]
    for other in (*a, *b):
        if not np.array_equal(first.groups, other.groups):
            raise ValueError("the two arms do not hold the same patients in the same order")
        for ours, theirs in ((first.gold, other.gold), (first.gold_sets, other.gold_sets)):
            if ours is not None and theirs is not None and not np.array_equal(ours, theirs):
                raise ValueError("the two arms do not hold the same gold labels in the same order")


def _smallest_class(metric: Metric, sample: Sample, patient: Ints) -> int | None:
    """Cases of one patient tell little more than one of them: patients are counted."""
    if sample.gold_sets is not None:
        return _rarest_side(sample, patient) if metric.fits == "label_scores" else None
    if sample.gold is None:
        return None
    counts = [len(np.unique(patient[sample.gold == label])) for label in np.unique(sample.gold)]
    return min(counts) if len(counts) > 1 else 0


def _rarest_side(sample: Sample, patient: Ints) -> int:
    """Patients with or without a label, the fewest, of the labels that a mean over labels rests on; 0 without one."""
    has, _ = sample.scored_sets()
    asked = has[:, sample.positives] if sample.positives else has
    ranked = [column for column in asked.T if 0 < column.sum() < len(column)]
    return min((len(np.unique(patient[side])) for column in ranked for side in (column, ~column)), default=0)


def _proportions(hits_a: NDArray[np.bool_], hits_b: NDArray[np.bool_]) -> _Found:
    """Exact McNemar and Tango's interval from the hits (n,) of two arms, one case a patient."""
    table = [[int(np.sum((hits_a == i) & (hits_b == j))) for j in (1, 0)] for i in (1, 0)]
    only_a, only_b, n = table[0][1], table[1][0], len(hits_a)
    low, high = tango_interval(only_a, only_b, n, 0.95)
    low_90, high_90 = tango_interval(only_a, only_b, n, 0.90)
    p = float(mcnemar(table, exact=True).pvalue)
    return _Found(low, high, low_90, high_90, p, MCNEMAR, TANGO, (only_a + only_b) / n)


def _resampled(
    arms: Paired, patients: int, differing: int, seed: int, resamples: int, swapped: int, advance: Advance
) -> _Found:
    """Bootstrap interval and swap test, patients as units."""
    rng = np.random.default_rng(seed)
    found = []
    for weights in resampled_weights(patients, rng, resamples):
        found.append(arms.resampled(weights))
        advance(len(weights))
    deltas = np.concatenate(found)
    low = high = low_90 = high_90 = None
    if patients > 1:
        # Only patients on whom the arms differ tell how much they do, so these are the ones the expansion counts.
        telling = max(2, differing)
        low, high = expanded_interval(deltas, telling, 0.95) or (None, None)
        low_90, high_90 = expanded_interval(deltas, telling, 0.90) or (None, None)
    p = _swap_p(arms, patients, rng, swapped, advance)
    # A resample varies by (n - 1) / n of what patients drawn from the population would.
    variance = float(np.nanvar(deltas)) * patients * patients / max(1, patients - 1)
    return _Found(low, high, low_90, high_90, p, SWAP_TEST, RESAMPLED, variance)


def _of_method(found: _Found, deltas: Sequence[float], patients: int) -> _Found:
    """With the variance of seeds beside that of patients."""
    both = across_seeds(deltas, sqrt(found.variance / patients), patients)
    (low, high), (low_90, high_90) = both.interval(0.95), both.interval(0.90)
    return _Found(low, high, low_90, high_90, both.p, SEED_TEST, ACROSS_SEEDS, found.variance, both.of_seeds[0])


def _swap_p(arms: Paired, patients: int, rng: np.random.Generator, swapped: int, advance: Advance) -> float:
    """Two-sided permutation p, (count + 1) / (swaps + 1), so never 0 (Phipson and Smyth 2010, eq. 2).

    Were the two arms alike, either one's answers for a patient could as well have been the other's.
    """
    delta = abs(arms.swapped(np.zeros((1, patients)))[0])
    as_large = 0
    for swap in swaps(patients, rng, swapped):
        as_large += int(np.sum(np.abs(arms.swapped(swap)) >= delta - _ROUNDING))
        advance(len(swap))
    return (as_large + 1) / (swapped + 1)
