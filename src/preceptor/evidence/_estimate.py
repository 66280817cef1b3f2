"""How good one arm is on the held-out patients, with its uncertainty."""

from dataclasses import dataclass

import numpy as np

from preceptor.evidence._metrics import Metric
from preceptor.evidence._resampling import expanded_interval, resampled_weights
from preceptor.evidence._sample import Sample


@dataclass(frozen=True)
class Estimate:
    """A metric with its 95% interval. `n` counts cases, `patients` the patients they come from.

    `value` is None where the metric is undefined (sensitivity without a positive case), `low` and `high` where no
    interval can be given (one patient only).
    """

    value: float | None
    low: float | None
    high: float | None
    n: int
    patients: int
    invalid_rate: float


def value_of(metric: Metric, sample: Sample) -> float | None:
    """The metric alone; None where it is undefined."""
    value = float(metric.value(metric.terms(sample).sum(axis=0)))
    return None if np.isnan(value) else value


def estimate(metric: Metric, sample: Sample, *, seed: int) -> Estimate:
    """The metric and its 95% expanded percentile interval, whole patients resampled; equal seeds, equal intervals."""
    totals = sample.by_patient(metric.terms(sample))
    value = float(metric.value(totals.sum(axis=0)))
    blocks = resampled_weights(len(totals), np.random.default_rng(seed))
    values = np.concatenate([metric.value(weights @ totals) for weights in blocks])
    low, high = expanded_interval(values, len(totals), 0.95) or (None, None)
    return Estimate(
        value=None if np.isnan(value) else value,
        low=low,
        high=high,
        n=len(sample),
        patients=len(totals),
        invalid_rate=sample.invalid_rate,
    )
