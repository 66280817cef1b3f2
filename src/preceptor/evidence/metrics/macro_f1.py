"""Macro-F1: F1 = 2 hits / (predicted + gold) of each label, averaged over the labels that occur in gold."""

import numpy as np

from preceptor.evidence._sample import Floats, Sample

title = "macro-F1"
explanation = (
    "For each label, how well cases with it are found without taking others for it (F1, from 0 to 1), and the mean "
    "over the labels, rare ones counting as much as common ones."
)
fits = "labels"
better = "higher"


def value(sample: Sample, weights: Floats) -> Floats:
    """Weights [rows, cases] -> [rows].

    INVALID is no label, so it adds to no `predicted` and is a miss of its gold label. A label that a resample happens
    to lose is left out of that resample's average, as it would be from a held-out set without it.
    """
    gold, predicted = sample.labels()
    occurring = np.unique(gold)
    is_gold, is_predicted = gold[:, None] == occurring, predicted[:, None] == occurring
    sums = weights @ np.hstack([is_gold & is_predicted, is_predicted, is_gold]).astype(float)
    hit, answered, there = np.split(sums, 3, axis=1)
    f1 = np.divide(2 * hit, answered + there, out=np.zeros(hit.shape), where=there > 0)
    average: Floats = f1.sum(axis=1) / (there > 0).sum(axis=1)
    return average
