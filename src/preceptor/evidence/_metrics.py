"""Metrics as sums over cases, so that a resample of patients is one matrix product.

Each metric is two pure functions: `terms` turns a sample into (n, c) numbers that may be added up over cases, and
`value` turns such sums, (..., c), into the metric, (...), NaN where it is undefined.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass

import numpy as np

from preceptor.evidence._sample import Floats, Sample


@dataclass(frozen=True)
class Metric:
    """A number between 0 and 1 that rates one arm on one output; higher is better."""

    name: str
    terms: Callable[[Sample], Floats]
    value: Callable[[Floats], Floats]


def _ratio(sums: Floats) -> Floats:
    """(..., 2) -> (...): first over second."""
    top, bottom = sums[..., 0], sums[..., 1]
    ratio: Floats = np.divide(top, bottom, out=np.full(np.shape(top), np.nan), where=bottom > 0)
    return ratio


def _accuracy_terms(sample: Sample) -> Floats:
    gold, predicted = sample.labels()
    return np.column_stack([gold == predicted, np.ones(len(sample))]).astype(float)


def _score_terms(sample: Sample) -> Floats:
    if sample.scores is None:
        raise ValueError("mean_score needs scores, and the output has labels")
    return np.column_stack([sample.scores, np.ones(len(sample))]).astype(float)


def _f1_terms(sample: Sample) -> Floats:
    """(n, 3K): hit, predicted and gold indicators of the K labels that occur in gold."""
    gold, predicted = sample.labels()
    occurring = np.unique(gold)
    is_gold = gold[:, None] == occurring
    is_predicted = predicted[:, None] == occurring
    return np.hstack([is_gold & is_predicted, is_predicted, is_gold]).astype(float)


def _macro_f1(sums: Floats) -> Floats:
    """(..., 3K) -> (...): F1 = 2 hits / (predicted + gold), averaged over the labels that occur in gold.

    INVALID is no label, so it adds to no `predicted` and is a miss of its gold label. A label that a resample happens
    to lose is left out of that resample's average, as it would be from a held-out set without it.
    """
    hits, predicted, gold = np.split(sums, 3, axis=-1)
    occurs = gold > 0
    f1 = np.divide(2 * hits, predicted + gold, out=np.zeros(np.shape(hits)), where=occurs)
    average: Floats = f1.sum(axis=-1) / occurs.sum(axis=-1)
    return average


def sensitivity(positives: Collection[int]) -> Metric:
    """Of the cases whose gold is one of `positives`, the share that was answered with one of `positives`."""
    wanted = np.array(sorted(positives), dtype=int)

    def terms(sample: Sample) -> Floats:
        gold, predicted = sample.labels()
        is_positive = np.isin(gold, wanted)
        return np.column_stack([is_positive & np.isin(predicted, wanted), is_positive]).astype(float)

    return Metric("sensitivity", terms, _ratio)


accuracy = Metric("accuracy", _accuracy_terms, _ratio)
macro_f1 = Metric("macro_f1", _f1_terms, _macro_f1)
mean_score = Metric("mean_score", _score_terms, _ratio)

# `sensitivity` is no entry: it is made from the labels that the task names.
METRICS = {metric.name: metric for metric in (accuracy, macro_f1, mean_score)}
