"""Promises of power, held against published sizes, exact sums and drawn studies."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.power import TTestPower

from preceptor.evidence import Sample, compare, find_metric, judge, power


def test_the_smallest_difference_is_near_the_textbook_formula() -> None:
    """Connor 1987, Biometrics 43:207: n = (1.96 sqrt(d) + 0.84 sqrt(d - x^2))^2 / x^2; exact needs more."""
    for discordance in (0.1, 0.2, 0.3):
        x = power.smallest_difference(500, discordance)
        assert x is not None
        patients = (1.96 * np.sqrt(discordance) + 0.8416 * np.sqrt(discordance - x * x)) ** 2 / x**2
        assert 0.85 * 500 < patients < 500


def test_a_drawn_study_keeps_the_promise() -> None:
    rng = np.random.default_rng(0)
    difference = power.smallest_difference(150, 0.2)
    assert difference is not None
    losses, wins = (0.2 - difference) / 2, (0.2 + difference) / 2
    drawn = rng.multinomial(150, [wins, losses, 0.8], size=20_000)
    p = stats.binomtest  # exact McNemar is the sign test on the discordant pairs
    table = {(a, b): p(a, a + b).pvalue < 0.05 for a, b in {(a, b) for a, b, _ in drawn.tolist()}}
    shown = np.mean([table[a, b] for a, b, _ in drawn.tolist()])
    assert shown == pytest.approx(0.8, abs=0.015)


def test_too_few_patients_show_nothing() -> None:
    assert power.smallest_difference(20, 0.1) is None, "two discordant patients can never give p < .05"
    assert power.smallest_difference(100, 0.0) is None
    assert power.smallest_mean_difference(1, 0.2) is None


def test_a_mean_difference_as_cohen_tabulated_it() -> None:
    """Cohen 1988, table 2.4.1, paired: 34 pairs show half a standard deviation with 80% power."""
    assert power.smallest_mean_difference(34, 1.0) == pytest.approx(0.495, abs=0.005)
    assert power.smallest_mean_difference(34, 0.2) == pytest.approx(0.2 * 0.495, abs=0.001)


def test_equivalence_is_reached_as_often_as_said() -> None:
    rng = np.random.default_rng(1)
    for patients, reachable in ((500, True), (150, False)):
        assert power.equivalence_reachable(patients, 0.1, 0.05, "discordance") is reachable
        reached = 0
        for _ in range(300):
            right = np.arange(patients) % 2
            only = rng.choice([1, 2, 0], size=patients, p=[0.05, 0.05, 0.9])
            a, b = np.where(only == 2, 1 - right, right), np.where(only == 1, 1 - right, right)
            patient = np.arange(patients)
            found = compare(find_metric("accuracy"), [Sample(patient, right, a)], [Sample(patient, right, b)], seed=0)
            reached += judge(found, 1.0, 0.05).verdict == "equivalent"
        assert (reached / 300 >= 0.8) is reachable


def test_equivalence_of_means_by_hand() -> None:
    """100 patients, sd 1: t(.95) + t(.90) = 1.660 + 1.290 standard errors of .1 must fit below the margin."""
    assert power.equivalence_reachable(100, 1.0, 0.296, "sd")
    assert not power.equivalence_reachable(100, 1.0, 0.294, "sd")
    assert not power.equivalence_reachable(1, 1.0, 5.0, "sd")


def test_patients_needed_by_hand() -> None:
    """(1.645 + 1.282)^2 x .2 / .05^2 = 685.1; of arms that never disagree Tango asks 2.706 x .95 / .05 = 51.4."""
    assert power.patients_needed(0.05, 0.2) == 686
    assert 686 < power.patients_needed(0.05, 0.2, "discordance") < 720
    assert power.patients_needed(0.05, 0.0, "discordance") == 52


@settings(max_examples=20, deadline=None)
@given(st.integers(30, 800), st.floats(0.1, 0.5), st.floats(0.02, 0.1))
def test_more_patients_show_no_less(patients: int, discordance: float, margin: float) -> None:
    few, many = power.smallest_difference(patients, discordance), power.smallest_difference(4 * patients, discordance)
    if few is not None:
        assert many is not None
        assert many < few
    needed = power.patients_needed(margin, discordance, "discordance")
    assert power.equivalence_reachable(round(1.1 * needed), discordance, margin, "discordance")


def test_a_mean_difference_is_found_for_any_number_of_patients() -> None:
    """With 73, 87 or 109 patients statsmodels' first search fails; what is found shows with the power asked for."""
    for patients in (20, 73, 87, 92, 109, 117, 120):
        found = power.smallest_mean_difference(patients, 0.5)
        reached = TTestPower().power(found / 0.5, patients, 0.05, alternative="two-sided")
        assert found > 0
        assert reached == pytest.approx(0.8, abs=1e-6)
