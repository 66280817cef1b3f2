"""Figures of items: the mean of numbers against what is known of it, and seeds as everywhere."""

import numpy as np
import pytest

from preceptor.evidence import (
    FEWEST_SEEDS,
    Sample,
    compare,
    compare_figure,
    estimate_figure,
    find_metric,
    mean_over_cases,
)

RNG = np.random.default_rng(3)
GROUPS = np.repeat(np.arange(40), 3)
OURS = [RNG.normal(size=120) for _ in range(FEWEST_SEEDS)]
THEIRS = [one + RNG.normal(0.05, 0.3, size=120) for one in OURS]


def mean(columns: dict[str, np.ndarray], weights: np.ndarray) -> np.ndarray:  # type: ignore[type-arg]
    return (weights @ columns["x"]) / weights.sum(1)  # type: ignore[no-any-return]


def test_a_mean_has_the_interval_of_a_mean_over_cases() -> None:
    found, known = estimate_figure(mean, {"x": OURS[0]}, GROUPS), mean_over_cases(GROUPS, OURS[0])
    assert (found.value, found.low, found.high) == pytest.approx((known.value, known.low, known.high))


@pytest.mark.parametrize("seeds", [1, FEWEST_SEEDS - 1, FEWEST_SEEDS])
def test_two_arms_differ_as_compare_says_with_few_seeds_and_with_enough(seeds: int) -> None:
    a, b = OURS[:seeds], THEIRS[:seeds]
    found = compare_figure(mean, [{"x": one} for one in a], [{"x": one} for one in b], GROUPS)
    samples = [[Sample(GROUPS, scores=one) for one in arm] for arm in (a, b)]
    known = compare(find_metric("mean_score"), *samples)
    assert (found.delta, found.low, found.high) == pytest.approx((known.delta, known.low, known.high))
    assert found.p == pytest.approx(known.p, abs=0.01)
