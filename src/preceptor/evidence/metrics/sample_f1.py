"""F1 of sets: the mean over cases of the F1 of the labels given to each."""

import numpy as np

from preceptor.evidence._sample import Floats, Sample
from preceptor.evidence.metrics._ratio import ratio
from preceptor.evidence.metrics._sets import set_counts

title = "F1 of a case's labels"
explanation = (
    "How well the labels given to a case agree with those it has (F1, from 0 to 1); the mean over cases. Where a case "
    "has no label and is given none, it is 1; where only one of the two is so, 0."
)
fits = "label_sets"
better = "higher"


def score(gold: frozenset[str], answer: frozenset[str]) -> float:
    """F1 of one case, 0 to 1; 1 where both sets are empty."""
    return 2 * len(gold & answer) / (len(gold) + len(answer)) if gold or answer else 1.0


def value(sample: Sample, weights: Floats) -> Floats:
    """Weights [rows, cases] -> [rows]."""
    hits, gold, given = set_counts(sample)
    f1 = np.divide(2 * hits, gold + given, out=np.ones(len(sample)), where=gold + given > 0)
    return ratio(f1, np.ones(len(sample)), weights)
