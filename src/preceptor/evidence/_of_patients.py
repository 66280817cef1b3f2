"""What each patient adds to a metric, so that a resample of patients need not look at each case."""

from typing import Any

import numpy as np
from scipy.sparse import csr_array

from preceptor.evidence._sample import Floats, Ints, Sample

_PAYS = 4
"""Counting is faster where there are so many patients to a distinct case."""

Sparse = Any
"""A matrix of SciPy (patients, columns) that holds only what is not 0: a patient has few of the distinct cases."""


def few_distinct(distinct: Sample, patient: Ints) -> bool:
    """Whether so few cases are distinct that it pays to count how many of each a patient has."""
    return len(distinct) * _PAYS <= int(patient.max()) + 1


def case_counts(patient: Ints, number: Ints, distinct: int) -> Sparse:
    """(patients, distinct) how many of each distinct case a patient has; `patient` and `number` (cases,) are the number
    of each case's patient and of the distinct case that it is.
    """
    return csr_array((np.ones(len(patient)), (patient, number)), shape=(int(patient.max()) + 1, distinct))


def score_sums(sample: Sample, patient: Ints) -> Floats:
    """(patients, 2) the sum of the scores of each patient's cases, and how many cases these are."""
    return np.column_stack([np.bincount(patient, weights=sample.scores), np.bincount(patient)])
