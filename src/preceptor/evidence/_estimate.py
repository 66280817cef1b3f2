"""How good one arm is on the held-out patients, with its uncertainty."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from statsmodels.stats.proportion import proportion_confint

from preceptor.evidence._of_patients import case_counts, few_distinct, score_sums
from preceptor.evidence._resampling import RESAMPLES, SEED, case_weights, expanded_interval, resampled_weights
from preceptor.evidence._sample import Floats, Ints, Sample
from preceptor.evidence.metrics import Metric
from preceptor.evidence.metrics._ratio import mean_of_scores, ratio
from preceptor.progress import Advance, quiet

ESTIMATING = RESAMPLES
"""What `estimate` counts up to."""


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
    value = float(metric.value(sample, np.ones((1, len(sample))))[0])
    return None if np.isnan(value) else value


def estimate(metric: Metric, sample: Sample, *, seed: int = SEED, advance: Advance = quiet) -> Estimate:
    """The metric and its 95% interval; equal seeds, equal intervals. `advance` counts up to `ESTIMATING`.

    Of a share of cases, one case a patient, Wilson's (1927), which has width at 0 and at 1 too; else expanded
    percentiles, whole patients resampled.
    """
    patients, patient = sample.patients, sample.patient_of_case()
    if metric.hits and 1 < patients == len(sample):
        low, high = proportion_confint(int(metric.hits(sample).sum()), patients, method="wilson")
        return Estimate(
            value_of(metric, sample), max(0.0, low), min(1.0, high), patients, patients, sample.invalid_rate
        )
    value = _of_weights(metric, sample, patient)
    found = []
    for weights in resampled_weights(patients, np.random.default_rng(seed)):
        found.append(value(weights))
        advance(len(weights))
    values = np.concatenate(found)
    low, high = expanded_interval(values, patients, 0.95) or (None, None)
    return Estimate(value_of(metric, sample), low, high, len(sample), patients, sample.invalid_rate)


def _of_weights(metric: Metric, sample: Sample, patient: Ints) -> Callable[[Floats], Floats]:
    """Weights of patients (rows, patients) -> the metric (rows,): of a mean of scores by each patient's sum, and where
    few cases are distinct by how many of each a patient has.
    """
    if metric.value is mean_of_scores:
        total, cases = score_sums(sample, patient).T
        return lambda weights: ratio(total, cases, weights)
    distinct, number = sample.distinct()
    if not few_distinct(distinct, patient):
        return lambda weights: np.concatenate([metric.value(sample, one) for one in case_weights(weights, patient)])
    counts = case_counts(patient, number, len(distinct))
    return lambda weights: metric.value(distinct, weights @ counts)
