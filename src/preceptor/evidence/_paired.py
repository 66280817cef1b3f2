"""What two arms differ by when their patients are drawn anew, or change places between the arms."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from preceptor.evidence._of_patients import Sparse, case_counts, few_distinct, score_sums
from preceptor.evidence._resampling import CELLS_AT_ONCE, SEED, case_weights, row_blocks
from preceptor.evidence._sample import Floats, Ints, Sample
from preceptor.evidence.metrics import Metric
from preceptor.evidence.metrics._ratio import mean_of_scores, ratio
from preceptor.progress import quiet

_LEAST_CHANGE = 1e-12  # of a metric; anything smaller is rounding

Difference = Callable[[Floats], Floats]
"""Weights of patients (rows, patients) -> a minus b (rows,), the mean over seeds."""


@dataclass(frozen=True)
class Paired:
    """`resampled` takes how often each patient was drawn; `swapped` takes 1 where a patient's arms change places."""

    resampled: Difference
    swapped: Difference


def paired(metric: Metric, a: Sequence[Sample], b: Sequence[Sample], patient: Ints) -> Paired:
    """Arms a and b, one sample a seed, the same cases in all; `patient` (cases,) is the number of each case's."""
    if metric.value is mean_of_scores:
        return _by_sum(a, b, patient)
    distinct, number = Sample.stack([*a, *b]).distinct()
    if not few_distinct(distinct, patient):
        return _by_case(metric, a, b, patient)
    counts = [case_counts(patient, one, len(distinct)) for one in number.reshape(2 * len(a), -1)]
    return _by_count(metric, distinct, counts[: len(a)], counts[len(a) :])


def _by_sum(a: Sequence[Sample], b: Sequence[Sample], patient: Ints) -> Paired:
    """The same where the metric is a mean of scores: from each patient's sum of scores, the mean over seeds."""
    ours, theirs = (np.mean([score_sums(one, patient) for one in arm], axis=0) for arm in (a, b))
    apart, cases = ours[:, 0] - theirs[:, 0], ours[:, 1]

    def resampled(weights: Floats) -> Floats:
        return ratio(apart, cases, weights)

    def swapped(swap: Floats) -> Floats:
        change: Floats = (apart.sum() - 2 * (swap @ apart)) / cases.sum()
        return change

    return Paired(resampled, swapped)


def _by_case(metric: Metric, a: Sequence[Sample], b: Sequence[Sample], patient: Ints) -> Paired:
    """Each case has its patient's weight. With both arms in one sample, a swap is which half of the cases counts."""
    halves = [Sample.stack(pair) for pair in zip(a, b, strict=True)]
    changed = [Sample.stack(pair) for pair in zip(b, a, strict=True)]

    def resampled(weights: Floats) -> Floats:
        return np.concatenate([_mean_difference(metric, a, b, cases) for cases in case_weights(weights, patient)])

    def swapped(swap: Floats) -> Floats:
        weights = (np.hstack([1 - cases, cases]) for cases in case_weights(swap, patient))
        return np.concatenate([_mean_difference(metric, halves, changed, half) for half in weights])

    return Paired(resampled, swapped)


def _mean_difference(metric: Metric, a: Sequence[Sample], b: Sequence[Sample], weights: Floats) -> Floats:
    """Weights (rows, cases) -> a minus b (rows,), the mean over seeds."""
    deltas = [metric.value(one, weights) - metric.value(other, weights) for one, other in zip(a, b, strict=True)]
    mean: Floats = np.mean(deltas, axis=0)
    return mean


def _by_count(metric: Metric, distinct: Sample, a: Sequence[Sparse], b: Sequence[Sparse]) -> Paired:
    """The same from how many of each `distinct` case a patient has: of each seed (patients, distinct)."""
    changes = [other - one for one, other in zip(a, b, strict=True)]
    unlike = np.flatnonzero(np.any([np.diff(one.indptr) for one in changes], axis=0))  # patients with a change
    moved = [one[unlike] for one in changes]
    all_a, all_b = ([one.sum(axis=0) for one in arm] for arm in (a, b))

    def difference(ours: Iterable[Floats], theirs: Iterable[Floats]) -> Floats:
        deltas = [metric.value(distinct, x) - metric.value(distinct, y) for x, y in zip(ours, theirs, strict=True)]
        mean: Floats = np.mean(deltas, axis=0)
        return mean

    def resampled(weights: Floats) -> Floats:
        return difference([weights @ one for one in a], [weights @ one for one in b])

    def swapped(swap: Floats) -> Floats:
        asked = np.take(swap, unlike, axis=1)
        change = [asked @ one for one in moved]
        return difference(map(np.add, all_a, change), map(np.subtract, all_b, change))

    return Paired(resampled, swapped)


def count_differing(
    metric: Metric, a: Sequence[Sample], b: Sequence[Sample], patient: Ints, advance: Callable[[float], None] = quiet
) -> int:
    """On how many patients the metric tells two arms apart, in any seed; `advance` counts up to `len(a)`.

    A patient's answers are added to right answers of all patients: where that gives the metric another value with one
    arm's than with the other's, the arms differ on this patient. So no class is without a hit, which would hide what
    else is said of it; and all patients weigh differently, so that no two changes cancel out.
    Label scores are added to those of both arms: among right answers, which are certain, no lower one changes its rank.
    """
    weight = np.random.default_rng(SEED).uniform(1, 2, int(patient.max()) + 1)[patient]
    found: set[int] = set()
    for one, other in zip(a, b, strict=True):
        if metric.value is mean_of_scores:
            found.update(_with_other_sums(one, other, patient, weight.sum()))
            continue
        right = _right(one)
        there = [one, other] if metric.fits == "label_scores" else [right]
        with_one, with_other = Sample.stack([*there, one]), Sample.stack([*there, other])
        left = np.setdiff1d(patient[one.differs(other)], sorted(found))
        alike = _answered_alike(one, other, patient, left)
        first = np.array([some[0] for some in alike], dtype=int)
        for rows in row_blocks(len(first), len(with_one), CELLS_AT_ONCE):
            only = first[rows.start : rows.stop, None] == patient
            weights = np.hstack([*[np.broadcast_to(weight, only.shape)] * len(there), only])
            change = metric.value(with_one, weights) - metric.value(with_other, weights)
            for number in np.flatnonzero(np.abs(change) > _LEAST_CHANGE):
                found.update(alike[rows.start + number])
            advance(len(rows) / len(first))
    return len(found)


def _right(sample: Sample) -> Sample:
    """The sample with right answers; of scored outputs, which name none, the sample itself."""
    if sample.gold_sets is not None:
        none = np.zeros(len(sample), dtype=int)
        return replace(sample, predicted=none, predicted_sets=sample.gold_sets, unknown=none)
    return sample if sample.gold is None else replace(sample, predicted=sample.gold)


def _with_other_sums(one: Sample, other: Sample, patient: Ints, whole: float) -> list[int]:
    """The same where the metric is a mean of scores, whose change is that of the patient's sum over all weights."""
    assert one.scores is not None
    assert other.scores is not None
    change = np.bincount(patient, weights=one.scores - other.scores) / (whole + np.bincount(patient))
    differing: list[int] = np.flatnonzero(np.abs(change) > _LEAST_CHANGE).tolist()
    return differing


def _answered_alike(one: Sample, other: Sample, patient: Ints, asked: Ints) -> list[list[int]]:
    """The `asked` patients, those together whose cases are the same in both arms: one stands for all of them."""
    distinct, number = Sample.stack([one, other]).distinct()
    ours, theirs = number.reshape(2, -1)
    case = ours * len(distinct) + theirs
    order = np.lexsort((case, patient))
    ends = np.cumsum(np.bincount(patient))
    alike: dict[bytes, list[int]] = {}
    for name, cases in zip(range(len(ends)), np.split(case[order], ends[:-1]), strict=True):
        alike.setdefault(cases.tobytes(), []).append(name)
    left = set(asked.tolist())
    return [some for names in alike.values() if (some := [name for name in names if name in left])]
