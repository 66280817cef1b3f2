"""Micro-F1: F1 = 2 hits / (given + gold) of the labels of all cases together."""

import numpy as np

from preceptor.evidence._sample import Floats, Sample
from preceptor.evidence.metrics._sets import set_counts

title = "micro-F1"
explanation = (
    "How well the labels given to all cases together agree with those they have (F1, from 0 to 1): cases with many "
    "labels and common labels count more. Where no case has a label and none is given, it is 1."
)
fits = "label_sets"
better = "higher"


def value(sample: Sample, weights: Floats) -> Floats:
    """Weights [rows, cases] -> [rows]."""
    hits, gold, given = set_counts(sample)
    sums = weights @ np.column_stack([2 * hits, gold + given]).astype(float)
    f1: Floats = np.divide(sums[:, 0], sums[:, 1], out=np.ones(len(sums)), where=sums[:, 1] > 0)
    return f1
