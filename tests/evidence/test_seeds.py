"""Seeds beside patients: the interval holds the truth whatever seeds vary, and the test agrees with it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from preceptor.evidence import FEWEST_SEEDS, Sample, across_seeds, compare, find_metric, judge

deltas = st.lists(st.floats(-0.5, 0.5), min_size=2, max_size=6)


@pytest.mark.parametrize("of_seeds", [0.0, 0.02, 0.1])
@pytest.mark.parametrize("seeds", [3, 5])
def test_the_interval_holds_the_truth_whatever_seeds_vary(seeds: int, of_seeds: float) -> None:
    """Studies are drawn with a known difference: a seed's effect, a patient's, and both together."""
    rng, truth, patients, drawn = np.random.default_rng(0), 0.04, 60, 800
    held = 0
    for _ in range(drawn):
        shared, seed_effects = rng.normal(0, 0.2, patients), rng.normal(0, of_seeds, seeds)
        cases = truth + seed_effects[:, None] + shared + rng.normal(0, 0.1, (seeds, patients))
        error = cases.mean(axis=0).std(ddof=1) / np.sqrt(patients)
        low, high = across_seeds(list(cases.mean(axis=1)), error, patients).interval(0.95)
        held += low <= truth <= high
    assert held / drawn > 0.93


@given(deltas, st.floats(0, 0.3), st.integers(2, 500))
def test_p_is_below_5_percent_where_the_interval_leaves_out_0(values: list[float], error: float, patients: int) -> None:
    found = across_seeds(values, error, patients)
    low, high = found.interval(0.95)
    assert low <= found.delta <= high
    assert 0 < found.p <= 1
    if min(abs(low), abs(high)) > 1e-9:
        assert (found.p < 0.05) == (low > 0 or high < 0)


@given(st.floats(0.001, 0.3), st.integers(3, 500))
def test_with_seeds_alike_it_is_the_t_interval_of_patients(error: float, patients: int) -> None:
    from scipy import stats

    found = across_seeds([0.1, 0.1, 0.1], error, patients)
    half = error * stats.t.ppf(0.975, patients - 1)
    assert found.interval(0.95) == pytest.approx((0.1 - half, 0.1 + half))
    assert found.p == pytest.approx(2 * stats.t.sf(0.1 / error, patients - 1), rel=1e-6, abs=1e-11)


def scored(seeds: int, gains: list[float], patients: int = 80) -> tuple[list[Sample], list[Sample]]:
    rng = np.random.default_rng(0)
    groups, scores = np.arange(patients), rng.uniform(0.3, 0.6, patients)
    b = [Sample(groups, scores=scores) for _ in range(seeds)]
    return [Sample(groups, scores=scores + gain + rng.normal(0, 0.02, patients)) for gain in gains[:seeds]], b


def test_from_five_seeds_on_a_verdict_counts_how_seeds_vary() -> None:
    """Seeds that agree on the patients and not with each other: four say it of these models, five not of the method."""
    gains = [0.30, -0.06, 0.02, 0.12, 0.0]
    metric = find_metric("mean_score")
    four, five = (compare(metric, *scored(seeds, gains)) for seeds in (FEWEST_SEEDS - 1, FEWEST_SEEDS))
    assert judge(four, four.p, 0.05).verdict == "better"
    assert judge(five, five.p, 0.05).verdict == "inconclusive"
    assert five.seed_error == pytest.approx(np.std(five.seed_deltas, ddof=1) / np.sqrt(5))
    assert four.seed_error == 0
    assert (five.interval, five.test) == ("t, seeds and patients", "t over seeds and patients")
