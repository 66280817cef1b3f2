"""Jaccard index: the mean over cases of the labels that are right and given over those that are either."""

import numpy as np

from preceptor.evidence._sample import Floats, Sample
from preceptor.evidence.metrics._ratio import ratio
from preceptor.evidence.metrics._sets import set_counts

title = "Jaccard index"
explanation = (
    "Of the labels that a case has or was given, the share that it has and was given; the mean over cases. Where a "
    "case has no label and is given none, it is 1; where only one of the two is so, 0."
)
fits = "label_sets"
better = "higher"


def score(gold: frozenset[str], answer: frozenset[str]) -> float:
    """The index of one case, 0 to 1; 1 where both are empty."""
    return len(gold & answer) / len(gold | answer) if gold or answer else 1.0


def value(sample: Sample, weights: Floats) -> Floats:
    """Weights [rows, cases] -> [rows]."""
    hits, gold, given = set_counts(sample)
    either = gold + given - hits
    index = np.divide(hits, either, out=np.ones(len(sample)), where=either > 0)
    return ratio(index, np.ones(len(sample)), weights)
