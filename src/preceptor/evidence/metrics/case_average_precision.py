"""Average precision of a case: how far in front the case's own labels stand among all, and the mean over cases."""

import numpy as np
from scipy.stats import rankdata

from preceptor.evidence._sample import Floats, Sample
from preceptor.evidence.metrics._ratio import ratio

title = "average precision of a case"
explanation = (
    "For each label that a case has: of all labels given as high a score, the share that the case has; the mean over "
    "its labels, and then over the cases that have any. Where an arm only names labels, these have score 1 and all "
    "others 0, and an answer that cannot be read gives every label 0."
)
fits = "set_scores"
better = "higher"


def value(sample: Sample, weights: Floats) -> Floats:
    """Weights [rows, cases] -> [rows]; NaN without a case that has a label."""
    has, scores = sample.scored_sets()
    # Of tied scores the last rank: how many have this score or a higher one, among all labels and the case's own.
    of_all = rankdata(-scores, method="max", axis=1)
    of_own = rankdata(np.where(has, -scores, np.inf), method="max", axis=1)
    labels = has.sum(axis=1)
    precision = np.where(has, of_own / of_all, 0.0).sum(axis=1)
    mean = np.divide(precision, labels, out=np.zeros(len(sample)), where=labels > 0)
    return ratio(mean * (labels > 0), labels > 0, weights)
