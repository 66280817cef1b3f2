"""Subset accuracy: the share of cases given exactly the labels that they have."""

import numpy as np
from numpy.typing import NDArray

from preceptor.evidence._sample import Floats, Sample
from preceptor.evidence.metrics._ratio import ratio
from preceptor.evidence.metrics._sets import set_counts

title = "subset accuracy"
explanation = "The share of cases given exactly the labels that they have, none too few and none too many."
fits = "label_sets"
better = "higher"


def score(gold: frozenset[str], answer: frozenset[str]) -> float:
    """1 where the sets are equal, else 0."""
    return float(gold == answer)


def hits(sample: Sample) -> NDArray[np.bool_]:
    """Which cases were answered rightly, [cases]."""
    common, gold, given = set_counts(sample)
    right: NDArray[np.bool_] = (common == gold) & (common == given)
    return right


def value(sample: Sample, weights: Floats) -> Floats:
    """Weights [rows, cases] -> [rows]."""
    return ratio(hits(sample), np.ones(len(sample)), weights)
