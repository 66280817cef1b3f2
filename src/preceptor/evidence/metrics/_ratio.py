"""Metrics that are one weighted sum over cases divided by another."""

import numpy as np
from numpy.typing import ArrayLike

from preceptor.evidence._sample import Floats, Sample


def ratio(top: ArrayLike, bottom: ArrayLike, weights: Floats) -> Floats:
    """Weighted sums of `top` over those of `bottom`, each [cases], weights [rows, cases]: [rows]; NaN for 0 over 0."""
    sums = weights @ np.column_stack([top, bottom]).astype(float)
    found: Floats = np.divide(sums[:, 0], sums[:, 1], out=np.full(len(sums), np.nan), where=sums[:, 1] > 0)
    return found


def mean_of_scores(sample: Sample, weights: Floats) -> Floats:
    """The mean of the cases' scores, weights [rows, cases] -> [rows]."""
    if sample.scores is None:
        raise ValueError("this metric needs scores, and the output has labels")
    return ratio(sample.scores, np.ones(len(sample)), weights)
