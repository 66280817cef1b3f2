"""Average precision: the mean, over the cases with a label, of the precision at their score or above."""

import numpy as np

from preceptor.evidence._sample import Floats, Sample
from preceptor.evidence.metrics._by_label import mean_over_labels

title = "average precision"
explanation = (
    "For each case with a label: of all cases that are given as high a score for it, the share that has it; the mean "
    "over these cases, and then over the labels. By chance it is a label's share of the cases. Where an arm only names "
    "a label, that one has score 1 and all others 0, and an answer that cannot be read gives every label 0."
)
fits = "label_scores"
better = "higher"


def value(sample: Sample, weights: Floats) -> Floats:
    """Weights [rows, cases] -> [rows]; NaN without a case that has a label asked for."""
    return mean_over_labels(sample, weights, _precision)


def _precision(having: Floats, others: Floats) -> Floats:
    """Weights of both sides at each score, highest first [rows, scores] -> the mean precision [rows]."""
    found, all_found = having.cumsum(axis=1), (having + others).cumsum(axis=1)
    precision = np.divide(found, all_found, out=np.zeros(found.shape), where=all_found > 0)
    total = found[:, -1]
    mean: Floats = np.divide((having * precision).sum(axis=1), total, out=np.full(len(total), np.nan), where=total > 0)
    return mean
