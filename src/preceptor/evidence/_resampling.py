"""Resampling of whole patients, vectorised: a resample is a row of weights, its metric one matrix product."""

from collections.abc import Iterator

import numpy as np
from scipy import stats

from preceptor.evidence._sample import Floats

RESAMPLES = 2_000
SWAPS = 9_999
_CELLS_AT_ONCE = 4_000_000  # weights held in memory together, 32 MB


def resampled_weights(patients: int, rng: np.random.Generator, resamples: int = RESAMPLES) -> Iterator[Floats]:
    """Blocks (rows, patients), `resamples` rows in all: how often each patient was drawn, with replacement."""
    for rows in _blocks(resamples, patients):
        drawn = rng.integers(patients, size=(rows, patients)) + patients * np.arange(rows)[:, None]
        yield np.bincount(drawn.ravel(), minlength=rows * patients).reshape(rows, patients).astype(float)


def swaps(patients: int, rng: np.random.Generator, count: int = SWAPS) -> Iterator[Floats]:
    """Blocks (rows, patients), `count` rows in all: 1 where the patient's two arms change places, else 0."""
    for rows in _blocks(count, patients):
        yield rng.integers(2, size=(rows, patients), dtype=np.int8).astype(float)


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


def _blocks(rows: int, patients: int) -> Iterator[int]:
    at_once = max(1, _CELLS_AT_ONCE // patients)
    for start in range(0, rows, at_once):
        yield min(at_once, rows - start)
