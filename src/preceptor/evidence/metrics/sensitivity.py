"""Sensitivity: of the cases whose gold is a positive label, the share that was answered with a positive label."""

import numpy as np

from preceptor.evidence._sample import Floats, Sample
from preceptor.evidence.metrics._ratio import ratio

title = "sensitivity"
explanation = "Of the cases with the named labels, the share answered with one of these labels."
fits = "labels"
better = "higher"
needs_positives = True


def value(sample: Sample, weights: Floats) -> Floats:
    """Weights [rows, cases] -> [rows]; NaN without a positive case."""
    gold, predicted = sample.labels()
    is_positive = np.isin(gold, sample.positives)
    return ratio(is_positive & np.isin(predicted, sample.positives), is_positive, weights)
