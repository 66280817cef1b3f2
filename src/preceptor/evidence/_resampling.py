"""Resampling of whole patients, vectorised: a resample is a row of weights, one weight a patient."""

from collections.abc import Iterator

import numpy as np
from scipy import stats

from preceptor.evidence._sample import Floats, Ints

SEED = 0
"""With equal seeds, equal intervals and p values: a result does not change when it is looked at again."""

RESAMPLES = 2_000
SWAPS = 9_999
_CELLS_DRAWN = 4_000_000  # at once; the draws of a seed depend on it
CELLS_AT_ONCE = 250_000  # weights that a metric gets together, 2 MB


def resampled_weights(patients: int, rng: np.random.Generator, resamples: int = RESAMPLES) -> Iterator[Floats]:
    """Blocks (rows, patients), `resamples` rows in all: how often each patient was drawn, with replacement."""
    for rows in map(len, row_blocks(resamples, patients, CELLS_AT_ONCE)):
        drawn = rng.integers(patients, size=(rows, patients)) + patients * np.arange(rows)[:, None]
        yield np.bincount(drawn.ravel(), minlength=rows * patients).reshape(rows, patients).astype(float)


def swaps(patients: int, rng: np.random.Generator, count: int = SWAPS) -> Iterator[Floats]:
    """Blocks (rows, patients), `count` rows in all: 1 where the patient's two arms change places, else 0."""
    for rows in map(len, row_blocks(count, patients, _CELLS_DRAWN)):
        drawn = rng.integers(2, size=(rows, patients), dtype=np.int8)
        for part in row_blocks(rows, patients, CELLS_AT_ONCE):
            yield drawn[part.start : part.stop].astype(float)


def case_weights(weights: Floats, patient: Ints) -> Iterator[Floats]:
    """(rows, patients) -> blocks (rows, cases): each case weighs as its `patient` (cases,) does."""
    for rows in row_blocks(len(weights), len(patient), CELLS_AT_ONCE):
        yield np.take(weights[rows.start : rows.stop], patient, axis=1)


def expanded_interval(values: Floats, patients: int, level: float) -> tuple[float, float] | None:
    """Expanded percentile interval of bootstrap `values` (resamples,); None where there is nothing to resample.

    Plain percentiles are too narrow for few patients; the tail area is widened to
    Phi(-sqrt(n / (n - 1)) * t(1 - alpha / 2, n - 1)), n patients (Hesterberg 2015, Am. Stat. 69:371, section 5.3).
    Resamples in which the metric is undefined (NaN) are left out.
    """
    defined = values[~np.isnan(values)]
    if patients < 2 or len(defined) == 0:
        return None
    t = stats.t.ppf((1 + level) / 2, patients - 1)
    tail = stats.norm.cdf(-np.sqrt(patients / (patients - 1)) * t)
    low, high = np.quantile(defined, [tail, 1 - tail])
    return float(low), float(high)


def row_blocks(rows: int, columns: int, cells: int) -> Iterator[range]:
    """Rows 0 to `rows`, so many at a time as make no more than so many `cells`, and at least one."""
    at_once = max(1, cells // columns)
    for start in range(0, rows, at_once):
        yield range(start, min(start + at_once, rows))
