"""Accuracy: the share of cases whose label is the right one; an answer that cannot be read is wrong."""

import numpy as np
from numpy.typing import NDArray

from preceptor.evidence._sample import Floats, Sample
from preceptor.evidence.metrics._ratio import ratio

title = "accuracy"
explanation = "The share of cases answered rightly."
fits = "labels"
better = "higher"


def hits(sample: Sample) -> NDArray[np.bool_]:
    """Which cases were answered rightly, [cases]."""
    gold, predicted = sample.labels()
    right: NDArray[np.bool_] = gold == predicted
    return right


def value(sample: Sample, weights: Floats) -> Floats:
    """Weights [rows, cases] -> [rows]."""
    return ratio(hits(sample), np.ones(len(sample)), weights)
