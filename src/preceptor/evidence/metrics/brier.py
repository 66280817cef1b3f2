"""Brier score: how far the scores of the labels are from what is so, squared (Brier 1950)."""

import numpy as np

from preceptor.evidence._sample import INVALID_CODE, Floats, Sample
from preceptor.evidence.metrics._ratio import ratio

title = "Brier score"
explanation = (
    "How far the likelihoods given to the labels are from what is so: 0 where all are right and certain, 1 where all "
    "are wrong and certain. Where an arm only names a label, it is taken to be certain; an answer that cannot be read "
    "counts as wrong and certain. Of cases with several labels, the mean over the labels."
)
fits = "label_scores"
better = "lower"
probabilities = True


def value(sample: Sample, weights: Floats) -> Floats:
    """Weights [rows, cases] -> [rows]: the mean over cases of half the sum over labels of (score - gold)^2.

    Half of Brier's own sum, so that it ends at 1 and with two labels is the mean square of one label's error. Of cases
    with several labels it is the mean over labels, each of which is present or absent.
    """
    has, scores = sample.scored_sets()
    squares = ((scores - has) ** 2).sum(axis=1) / (2 if sample.gold_sets is None else has.shape[1])
    unread = False if sample.predicted is None else sample.predicted == INVALID_CODE
    return ratio(np.where(unread, 1.0, squares), np.ones(len(sample)), weights)
