"""Agreement of raters, against published worked examples and other libraries."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import cohen_kappa_score

from preceptor.evidence import agreement
from preceptor.evidence._agreement import Level, kappa

NAN = np.nan
LEVELS: tuple[Level, ...] = ("nominal", "ordinal", "interval")
few = settings(max_examples=20, deadline=None)


def by_rater(*rows: str) -> np.ndarray:
    """One word a rater, one sign an item, `.` where there is no rating -> (items, raters)."""
    return np.array([[NAN if sign == "." else float(ord(sign)) for sign in row] for row in rows]).T


@pytest.mark.parametrize(("level", "expected"), [("nominal", 0.743), ("ordinal", 0.815), ("interval", 0.849)])
def test_four_raters_with_ratings_missing(level: Level, expected: float) -> None:
    """Krippendorff 2011, section C and D: his reliability data, whose last item only one observer rated."""
    found = agreement(by_rater("123321412...", "1233224125.3", ".3332342251.", "12332441251."), level)
    assert found.alpha.value == pytest.approx(expected, abs=0.0005)
    assert (found.items, found.raters) == (11, 4)


@pytest.mark.parametrize(("level", "expected"), [("nominal", 0.691), ("interval", 0.811)])
def test_three_raters_with_more_missing(level: Level, expected: float) -> None:
    found = agreement(by_rater(".....34121133.3", "1.213343.......", "..21344.21133.4"), level)
    assert found.alpha.value == pytest.approx(expected, abs=0.0005)
    assert found.items == 12


def test_two_raters_two_values() -> None:
    """Krippendorff 2011, section A: alpha .095 although six of ten are alike."""
    found = agreement(by_rater("0100000010", "1110010000"), "nominal")
    assert found.alpha.value == pytest.approx(0.095, abs=0.0005)
    assert found.raw.value == pytest.approx(0.6)


def test_two_raters_five_values() -> None:
    """Krippendorff 2011, section B: alpha .692."""
    found = agreement(by_rater("aabbdcccedda", "babbbcccEddd".lower()), "nominal")
    assert found.alpha.value == pytest.approx(0.692, abs=0.0005)


def test_cohens_own_diagnoses() -> None:
    """Cohen 1968, table 1, 200 cases and his weights: kappa .492, weighted .348."""
    table = 200 * np.array([[[0.44, 0.07, 0.09], [0.05, 0.20, 0.05], [0.01, 0.03, 0.06]]])
    weights = np.array([[0.0, 1, 3], [1, 0, 6], [3, 6, 0]])
    assert kappa(table, weights)[0] == pytest.approx(0.348, abs=0.0005)
    assert kappa(table, 1 - np.eye(3))[0] == pytest.approx(0.492, abs=0.0005)


@given(arrays(int, (30, 2), elements=st.integers(1, 5)))
@few
def test_two_raters_kappa_is_scikit_learns(ratings: np.ndarray) -> None:
    for level, weights in (("nominal", None), ("ordinal", "quadratic"), ("interval", "quadratic")):
        ours = agreement(ratings.astype(float), level).kappa.value  # type: ignore[arg-type]
        theirs = cohen_kappa_score(*ratings.T, labels=range(1, 6), weights=weights) if ours is not None else None
        assert ours == pytest.approx(theirs)


def test_kappa_of_three_raters_is_the_mean_over_pairs_by_what_they_share() -> None:
    ratings = by_rater("1122331212", "1123331112", "12......22")
    pairs = [(0, 1, 10), (0, 2, 4), (1, 2, 4)]
    kappas = []
    for one, other, _ in pairs:
        both = ratings[~np.isnan(ratings[:, [one, other]]).any(axis=1)]
        kappas.append(cohen_kappa_score(both[:, one], both[:, other]))
    expected = np.average(kappas, weights=[n for *_, n in pairs])
    assert agreement(ratings, "nominal").kappa.value == pytest.approx(expected)


@given(arrays(int, (12, 3), elements=st.integers(-1, 3)), st.permutations(range(12)), st.permutations(range(3)))
@few
def test_neither_the_order_of_items_nor_that_of_raters_matters(
    codes: np.ndarray, items: list[int], raters: list[int]
) -> None:
    ratings = np.where(codes < 0, NAN, codes)
    for level in LEVELS:
        here, there = agreement(ratings, level), agreement(ratings[items][:, raters], level)
        for name in ("raw", "alpha", "kappa"):
            assert getattr(here, name).value == pytest.approx(getattr(there, name).value)


@given(arrays(int, (12, 3), elements=st.integers(0, 3)))
@few
def test_nobody_agrees_more_than_wholly_and_intervals_hold_the_figure(codes: np.ndarray) -> None:
    found = agreement(codes.astype(float), "ordinal")
    for figure in (found.raw, found.alpha, found.kappa):
        assert figure.value is None or figure.value <= 1
        if figure.value is not None and figure.low is not None and figure.high is not None:
            assert figure.low - 1e-9 <= figure.value <= figure.high + 1e-9


def test_where_nobody_disagrees_no_interval_is_claimed() -> None:
    found = agreement(by_rater("12121212", "12121212"), "nominal")
    assert (found.raw.value, found.alpha.value, found.kappa.value) == (1, 1, 1)
    assert (found.raw.low, found.alpha.low, found.kappa.low) == (None, None, None)


def test_one_value_everywhere_tells_nothing_beyond_chance() -> None:
    found = agreement(by_rater("111", "111"), "ordinal")
    assert found.raw.value == 1
    assert found.alpha.value is None
    assert found.kappa.value is None


def test_items_that_one_rater_rated_count_for_nothing() -> None:
    found = agreement(by_rater("12..", "..12"), "nominal")
    assert (found.items, found.raters, found.alpha.value) == (0, 0, None)


def test_ratings_by_chance_have_an_alpha_near_0_and_the_interval_narrows_with_items() -> None:
    rng = np.random.default_rng(0)
    many = agreement(rng.integers(1, 6, size=(2000, 2)).astype(float), "ordinal").alpha
    fewer = agreement(rng.integers(1, 6, size=(60, 2)).astype(float), "ordinal").alpha
    assert many.value == pytest.approx(0, abs=0.06)
    assert many.low < 0 < many.high
    assert many.high - many.low < (fewer.high - fewer.low) / 3


def test_items_of_one_patient_are_drawn_together() -> None:
    """Each patient's four items repeat one another, so that there is less to go on than items."""
    rng = np.random.default_rng(1)
    once = rng.integers(0, 2, size=(25, 2)).astype(float)
    four = np.repeat(once, 4, axis=0)
    apart, together = agreement(four, "nominal").raw, agreement(four, "nominal", groups=np.repeat(np.arange(25), 4)).raw
    alone = agreement(once, "nominal").raw
    assert together == alone
    assert apart.high - apart.low < together.high - together.low
