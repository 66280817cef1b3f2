"""A share of few cases, two arms on the same patients: what is said of the difference holds, and is worth something."""

import numpy as np
import pytest

from preceptor.evidence import (
    FEWEST_SEEDS,
    Sample,
    compare,
    fewest_for_margin,
    find_metric,
    share_difference,
    tango_interval,
)


def arms(lost: int, gained: int, patients: int, seeds: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """All is found by b but `gained` patients, by a but `lost` others, in every seed."""
    a, b = np.ones((seeds, patients), bool), np.ones((seeds, patients), bool)
    a[:, :lost], b[:, lost : lost + gained] = False, False
    return a, b


def test_one_case_a_patient_is_tangos_interval() -> None:
    found = share_difference(np.arange(40), *arms(3, 1, 40))
    assert (found.low, found.high) == pytest.approx(tango_interval(1, 3, 40, 0.90))
    assert (found.a, found.b, found.cases, found.patients) == (37 / 40, 39 / 40, 40, 40)


@pytest.mark.parametrize("seeds", [1, 3, FEWEST_SEEDS])
@pytest.mark.parametrize("margin", [0.05, 0.1, 0.2])
def test_arms_that_never_differ_show_it_from_the_fewest_patients_on(margin: float, seeds: int) -> None:
    fewest = fewest_for_margin(margin)
    assert share_difference(np.arange(fewest), *arms(0, 0, fewest, seeds)).low > -margin
    assert share_difference(np.arange(fewest - 1), *arms(0, 0, fewest - 1, seeds)).low <= -margin


def test_several_cases_of_a_patient_are_not_so_many_patients() -> None:
    many = np.repeat(np.arange(12), 10)
    found = share_difference(many, *arms(0, 0, 120))
    assert (found.cases, found.patients) == (120, 12)
    assert found.low == pytest.approx(tango_interval(0, 0, 12, 0.90)[0])
    uneven = np.concatenate([np.zeros(60, int), np.arange(1, 61)])
    assert share_difference(uneven, *arms(0, 0, 120)).low < -0.3, "one patient holds half of the cases"


@pytest.mark.parametrize("seeds", [1, 3])
def test_patients_who_differ_often_are_drawn_anew_as_in_every_comparison(seeds: int) -> None:
    rng = np.random.default_rng(0)
    groups = rng.integers(0, 40, 90)
    a, b = rng.random((2, seeds, 90)) < 0.7
    samples = [[Sample(groups, np.ones(90, int), one.astype(int)) for one in arm] for arm in (a, b)]
    expected, found = compare(find_metric("accuracy"), *samples), share_difference(groups, a, b)
    assert (found.low, found.high) == pytest.approx((expected.low_90, expected.high_90))
    assert found.a - found.b == pytest.approx(expected.delta)


def test_one_patient_shows_nothing() -> None:
    found = share_difference(np.zeros(50, int), *arms(0, 0, 50))
    assert found.low < -0.7


def test_seeds_that_disagree_say_less_from_five_on() -> None:
    rng = np.random.default_rng(0)
    b = np.ones((5, 200), bool)
    a = rng.random((5, 200)) > np.array([[0.0], [0.0], [0.3], [0.0], [0.0]])
    of_models, of_method = (share_difference(np.arange(200), a[kept], b[kept]) for kept in ([0, 2, 3], range(5)))
    assert of_models.low > -0.15
    assert of_method.low < -0.15, "one model in five misses a third"


@pytest.mark.parametrize(
    ("patients", "notes", "seeds", "same"),
    [(60, 1, 1, 0.5), (60, 1, 3, 0.9), (60, 3, 3, 0.5), (150, 1, 5, 0.5), (40, 2, 1, 0.95)],
)
def test_a_loss_as_large_as_the_margin_is_seldom_said_to_be_smaller(
    patients: int, notes: int, seeds: int, same: float
) -> None:
    """Sensitivity .8 against .7; `same`: how much of chance is the patient's, not the arm's."""
    from scipy import stats

    rng, drawn, shown = np.random.default_rng(1), 200, 0
    groups = np.repeat(np.arange(patients), notes)
    for _ in range(drawn):
        of_patient = np.sqrt(same) * rng.standard_normal(patients)[groups]
        noise = np.sqrt(1 - same) * rng.standard_normal((2, seeds, len(groups)))
        a, b = (of_patient + one < stats.norm.ppf(share) for one, share in zip(noise, (0.7, 0.8), strict=True))
        shown += share_difference(groups, a, b).low > -0.1
    assert shown / drawn < 0.05 + 2 * np.sqrt(0.05 * 0.95 / drawn)
