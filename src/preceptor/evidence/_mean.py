"""The mean of numbers of cases, of any size, with its uncertainty."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from preceptor.evidence._resampling import SEED, expanded_interval, resampled_weights
from preceptor.evidence._sample import Floats


@dataclass(frozen=True)
class Mean:
    """`low` and `high` are the 95% interval; None of one patient."""

    value: float
    low: float | None
    high: float | None
    n: int
    patients: int


def mean_over_cases(groups: NDArray[np.generic], values: Floats, *, seed: int = SEED) -> Mean:
    """The mean of values (n,), one a case, whole patients resampled. groups (n,): the patient of each case."""
    patient = np.unique(groups, return_inverse=True)[1]
    cases, sums = np.bincount(patient), np.bincount(patient, weights=values)
    blocks = resampled_weights(len(cases), np.random.default_rng(seed))
    found = np.concatenate([(one @ sums) / (one @ cases) for one in blocks])
    low, high = expanded_interval(found, len(cases), 0.95) or (None, None)
    return Mean(float(np.mean(values)), low, high, len(values), len(cases))
