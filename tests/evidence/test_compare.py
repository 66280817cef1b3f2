import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from preceptor.evidence import METRICS, Sample, compare, sensitivity

N = 24


def answers() -> st.SearchStrategy[np.ndarray]:
    return arrays(int, N, elements=st.integers(-1, 2))


def labels() -> st.SearchStrategy[np.ndarray]:
    return arrays(int, N, elements=st.integers(0, 2))


def groups() -> st.SearchStrategy[np.ndarray]:
    return st.one_of(st.just(np.arange(N)), arrays(int, N, elements=st.integers(0, 9)))


metrics = st.sampled_from([METRICS["accuracy"], METRICS["macro_f1"]])
few = settings(max_examples=15, deadline=None)


def test_exact_mcnemar_by_hand() -> None:
    """Discordant pairs 9 and 2: p is twice the binomial tail P(X <= 2), X ~ B(11, 1/2), that is 134 / 2048."""
    gold = np.ones(30, int)
    a, b = np.ones(30, int), np.ones(30, int)
    a[:2], b[2:11] = 0, 0
    found = compare(METRICS["accuracy"], Sample(np.arange(30), gold, a), Sample(np.arange(30), gold, b), seed=0)
    assert found.test == "exact McNemar"
    assert found.p == pytest.approx(134 / 2048)
    assert found.delta == pytest.approx(7 / 30)


def test_swap_test_agrees_with_the_exact_permutation_of_ten_patients() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.random(10), rng.random(10)
    exact = stats.permutation_test((a, b), lambda x, y: x.mean() - y.mean(), permutation_type="samples").pvalue
    patients = np.arange(10)
    found = compare(METRICS["mean_score"], Sample(patients, scores=a), Sample(patients, scores=b), seed=0)
    assert found.test == "arms swapped within patients"
    assert found.p == pytest.approx(exact, abs=0.02)


def test_the_smallest_p_is_never_zero() -> None:
    patients, ones = np.arange(60), np.ones(60)
    found = compare(METRICS["mean_score"], Sample(patients, scores=ones), Sample(patients, scores=0 * ones), seed=0)
    assert found.p == 1 / 10_000


def test_interval_of_a_paired_mean_is_the_paired_t_interval() -> None:
    rng = np.random.default_rng(1)
    b = rng.normal(0.5, 0.2, 300)
    a = b + rng.normal(0.05, 0.05, 300)
    found = compare(METRICS["mean_score"], Sample(np.arange(300), scores=a), Sample(np.arange(300), scores=b), seed=0)
    for level, bounds in ((0.95, (found.low, found.high)), (0.90, (found.low_90, found.high_90))):
        expected = stats.t.interval(level, 299, (a - b).mean(), stats.sem(a - b))
        assert bounds == pytest.approx(expected, abs=0.001)


def test_several_cases_of_one_patient_move_together() -> None:
    """Five patients, 12 cases each, all for the better: 60 cases, but no more evidence than five patients hold."""
    patients = np.repeat(np.arange(5), 12)
    gold, right, wrong = np.ones(60, int), np.ones(60, int), np.zeros(60, int)
    found = compare(METRICS["accuracy"], Sample(patients, gold, right), Sample(patients, gold, wrong), seed=0)
    assert found.test == "arms swapped within patients"
    assert found.p == pytest.approx(2 / 2**5, abs=0.01)


def test_arms_that_do_not_pair_up_are_refused() -> None:
    gold = np.array([0, 1, 1])
    sample = Sample(np.arange(3), gold, gold)
    with pytest.raises(ValueError, match="same patients"):
        compare(METRICS["accuracy"], sample, Sample(np.array([0, 2, 1]), gold, gold), seed=0)
    with pytest.raises(ValueError, match="same gold"):
        compare(METRICS["accuracy"], sample, Sample(np.arange(3), 1 - gold, gold), seed=0)
    with pytest.raises(ValueError, match="undefined"):
        compare(sensitivity([7]), sample, sample, seed=0)


def test_one_patient_gives_a_difference_and_no_interval() -> None:
    one = np.zeros(2)
    found = compare(METRICS["mean_score"], Sample(one, scores=np.ones(2)), Sample(one, scores=np.zeros(2)), seed=0)
    assert (found.delta, found.low, found.high, found.p) == (1.0, None, None, 1.0)


@few
@given(metrics, groups(), labels(), answers())
def test_identical_arms_differ_by_nothing(metric, patients, gold, answered) -> None:
    arm = Sample(patients, gold, answered)
    found = compare(metric, arm, arm, seed=0)
    assert (found.delta, found.p) == (0.0, 1.0)
    assert (found.low, found.high) in [(0.0, 0.0), (None, None)]


@few
@given(metrics, groups(), labels(), answers(), answers())
def test_exchanging_the_arms_negates(metric, patients, gold, first, second) -> None:
    a, b = Sample(patients, gold, first), Sample(patients, gold, second)
    there, back = compare(metric, a, b, seed=0), compare(metric, b, a, seed=0)
    assert back.delta == -there.delta
    assert back.p == there.p
    if there.low is not None and there.high is not None:
        assert (back.low, back.high) == pytest.approx((-there.high, -there.low), abs=1e-12)


@few
@given(metrics, groups(), labels(), answers(), answers(), st.permutations(range(N)))
def test_the_order_of_cases_changes_nothing(metric, patients, gold, first, second, order) -> None:
    found = compare(metric, Sample(patients, gold, first), Sample(patients, gold, second), seed=0)
    moved = compare(
        metric,
        Sample(patients[order], gold[order], first[order]),
        Sample(patients[order], gold[order], second[order]),
        seed=0,
    )
    assert moved == found
