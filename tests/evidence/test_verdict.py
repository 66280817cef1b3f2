from dataclasses import replace

import numpy as np
import pytest

from preceptor.evidence import METRICS, Comparison, Sample, compare, holm, judge

CLEAR = Comparison(0.3, 0.2, 0.4, 0.22, 0.38, 0.0001, "exact McNemar", 100, 100)
NARROW = Comparison(0.01, -0.03, 0.05, -0.02, 0.04, 0.6, "exact McNemar", 100, 100)
HARM = Comparison(-0.3, -0.4, -0.2, -0.38, -0.22, 0.0001, "exact McNemar", 100, 100)
NARROW_BELOW = Comparison(-0.01, -0.05, 0.03, -0.04, 0.02, 0.6, "exact McNemar", 100, 100)


def test_holm_by_hand() -> None:
    # Sorted .01, .02, .03, times 3, 2, 1, and never below the one before; in the order given.
    assert holm([0.03, 0.01, 0.02]) == pytest.approx([0.04, 0.03, 0.04])
    assert holm([]) == []


def test_better_and_worse_need_test_and_interval() -> None:
    assert judge(CLEAR, 0.01) == "better"
    assert judge(HARM, 0.01) == "worse"


@pytest.mark.parametrize(("comparison", "p"), [(CLEAR, 0.08), (NARROW, 0.01)])
def test_test_and_interval_at_odds_are_inconclusive_whatever_the_margin(comparison: Comparison, p: float) -> None:
    assert judge(comparison, p, margin=0.5) == "inconclusive"


def test_equivalent_needs_a_margin_that_holds_the_90_percent_interval() -> None:
    assert judge(NARROW, 0.6) == "inconclusive"
    assert judge(NARROW, 0.6, margin=0.045) == "equivalent"
    assert judge(NARROW, 0.6, margin=0.04) == "inconclusive"
    assert judge(NARROW_BELOW, 0.6, margin=0.04) == "inconclusive"


def test_below_twenty_patients_nothing_is_concluded() -> None:
    assert judge(replace(CLEAR, patients=19), 0.001) == "inconclusive"
    assert judge(replace(CLEAR, patients=20), 0.001) == "better"
    assert judge(replace(NARROW, patients=19), 0.6, margin=0.5) == "inconclusive"


def test_arms_that_never_differed_are_not_called_equivalent() -> None:
    ones = np.ones(40, int)
    arm = Sample(np.arange(40), ones, ones)
    found = compare(METRICS["accuracy"], arm, arm, seed=0)
    assert judge(found, found.p, margin=0.05) == "inconclusive"


def test_no_interval_is_inconclusive() -> None:
    bare = replace(CLEAR, low=None, high=None, low_90=None, high_90=None)
    assert judge(bare, 0.001, margin=0.5) == "inconclusive"
