from dataclasses import replace

import numpy as np
import pytest

from preceptor.evidence import Comparison, Judgement, Sample, compare, find_metric, judge

CLEAR = Comparison(
    delta=0.3, low=0.2, high=0.4, low_90=0.22, high_90=0.38, p=0.0001, test="exact McNemar",
    interval="Tango's score interval", n=100, patients=100, effective_patients=100, differing=40, smallest_class=40,
    variance=0.4, seed_deltas=(0.3,),
)  # fmt: skip
NARROW = replace(CLEAR, delta=0.01, low=-0.03, high=0.05, low_90=-0.02, high_90=0.04, p=0.6, seed_deltas=(0.01,))
NARROW_BELOW = replace(NARROW, delta=-0.01, low=-0.05, high=0.03, low_90=-0.04, high_90=0.02)
HARM = replace(CLEAR, delta=-0.3, low=-0.4, high=-0.2, low_90=-0.38, high_90=-0.22)
RESAMPLED = "expanded percentile, patients resampled"


def verdict(comparison: Comparison, p: float, margin: float | None = None) -> str:
    return judge(comparison, p, margin).verdict


def test_better_and_worse_need_test_and_interval() -> None:
    assert judge(CLEAR, 0.01) == Judgement("better")
    assert judge(HARM, 0.01) == Judgement("worse")


@pytest.mark.parametrize(("comparison", "p"), [(CLEAR, 0.08), (NARROW, 0.01)])
def test_test_and_interval_at_odds_are_inconclusive_whatever_the_margin(comparison: Comparison, p: float) -> None:
    assert verdict(comparison, p, margin=0.5) == "inconclusive"


def test_equivalent_needs_a_margin_that_holds_the_90_percent_interval() -> None:
    assert verdict(NARROW, 0.6) == "inconclusive"
    assert verdict(NARROW, 0.6, margin=0.045) == "equivalent"
    assert verdict(NARROW, 0.6, margin=0.04) == "inconclusive"
    assert verdict(NARROW_BELOW, 0.6, margin=0.04) == "inconclusive"


def test_better_but_by_less_than_matters() -> None:
    found = judge(CLEAR, 0.01, margin=0.39)
    assert (found.verdict, found.less_than_matters, found.below_margin) == ("better", True, True)
    found = judge(CLEAR, 0.01, margin=0.38)
    assert (found.verdict, found.less_than_matters, found.below_margin) == ("better", False, False)


def test_harm_is_never_called_less_than_matters_beyond_the_margin() -> None:
    found = judge(HARM, 0.01, margin=0.3)
    assert (found.verdict, found.less_than_matters, found.below_margin) == ("worse", False, True)
    assert judge(HARM, 0.01, margin=0.39).less_than_matters


def test_too_few_patients_or_cases_of_a_class_only_describe() -> None:
    assert "19 patients" in (judge(replace(CLEAR, patients=19), 0.001).descriptive or "")
    assert judge(replace(CLEAR, patients=20, effective_patients=20), 0.001).verdict == "better"
    found = judge(replace(NARROW, smallest_class=9), 0.6, margin=0.5)
    assert found.verdict == "inconclusive"
    assert "fewer than the 10 patients" in (found.descriptive or "")
    assert judge(replace(CLEAR, smallest_class=10), 0.001).descriptive is None
    assert judge(replace(CLEAR, smallest_class=None), 0.001).descriptive is None


def test_a_class_that_is_missing() -> None:
    """Two classes of three occur: they are judged. One class only: nothing is."""
    patients, gold = np.arange(60), np.tile([0, 2], 30)
    arm, other = Sample(patients, gold, gold), Sample(patients, gold, 2 - gold)
    found = compare(find_metric("macro_f1"), [arm], [other], seed=0)
    assert (found.delta, judge(found, found.p).verdict) == (1.0, "better"), "the missing class is not averaged in"
    one = Sample(patients, 0 * gold, gold)
    assert "one class" in (judge(compare(find_metric("accuracy"), [one], [one], seed=0), 0.0).descriptive or "")


def test_two_patients() -> None:
    gold = np.array([0, 1])
    a, b = Sample(np.arange(2), gold, gold), Sample(np.arange(2), gold, 1 - gold)
    found = judge(compare(find_metric("accuracy"), [a], [b], seed=0), 0.0, margin=1.0)
    assert found.verdict == "inconclusive"
    assert found.descriptive


def test_one_patient_with_half_the_notes_only_describes() -> None:
    groups = np.concatenate([np.zeros(60, int), np.arange(1, 61)])
    gold = np.tile([0, 1], 60)
    a = Sample(groups, gold, np.where(groups == 0, 1 - gold, gold))
    found = judge(compare(find_metric("macro_f1"), [a], [Sample(groups, gold, gold)], seed=0), 0.001, margin=0.05)
    assert "hold most cases" in (found.descriptive or "")


@pytest.mark.parametrize("metric", ["accuracy", "macro_f1"])
def test_two_identical_arms_of_forty_are_never_equivalent(metric: str) -> None:
    gold = np.tile([0, 1], 20)
    arm = Sample(np.arange(40), gold, gold)
    found = compare(find_metric(metric), [arm], [arm], seed=0)
    assert judge(found, found.p, margin=0.05).verdict == "inconclusive"
    assert not judge(found, found.p, margin=0.05).below_margin


def test_resampling_cannot_bound_what_a_few_patients_did_not_show() -> None:
    few = replace(NARROW, interval=RESAMPLED, differing=9)
    assert judge(few, 0.6, margin=0.5) == Judgement("inconclusive")
    assert verdict(replace(few, differing=10), 0.6, margin=0.5) == "equivalent"


def test_two_seeds_of_one_arm_are_not_told_apart() -> None:
    """An A/A study: the same accuracy, other mistakes."""
    rng = np.random.default_rng(5)
    gold = rng.integers(2, size=200)
    seeds = [np.where(rng.random(200) < 0.7, gold, 1 - gold) for _ in range(2)]
    a, b = (Sample(np.arange(200), gold, answered) for answered in seeds)
    found = compare(find_metric("macro_f1"), [a], [b], seed=0)
    assert judge(found, found.p, margin=0.05).verdict == "inconclusive"


def test_ties_only() -> None:
    """Both arms right and wrong on the same 60 cases; 2.706 / 62.706 is below .05, so Tango allows it, F1 does not."""
    gold, answered = np.tile([0, 1], 30), np.tile([0, 0, 1, 1], 15)
    arm = Sample(np.arange(60), gold, answered)
    found = {name: compare(find_metric(name), [arm], [arm], seed=0) for name in ("accuracy", "macro_f1")}
    assert judge(found["accuracy"], 1.0, margin=0.05).verdict == "equivalent"
    assert judge(found["macro_f1"], 1.0, margin=0.05).verdict == "inconclusive"
    assert judge(found["accuracy"], 1.0).verdict == "inconclusive", "without a margin it is never said"


def test_no_interval_is_inconclusive() -> None:
    bare = replace(CLEAR, low=None, high=None, low_90=None, high_90=None)
    assert judge(bare, 0.001, margin=0.5) == Judgement("inconclusive")


def test_where_less_is_better_everything_turns() -> None:
    assert judge(CLEAR, 0.01, better="lower") == Judgement("worse")
    assert judge(HARM, 0.01, better="lower") == Judgement("better")
    turned = replace(
        CLEAR, delta=-CLEAR.delta, low=-CLEAR.high, high=-CLEAR.low, low_90=-CLEAR.high_90, high_90=-CLEAR.low_90
    )
    for margin in (0.05, 0.38, 0.39):
        assert judge(turned, 0.01, margin, better="lower") == judge(CLEAR, 0.01, margin)
