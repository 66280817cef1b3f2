import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import optimize, special
from statsmodels.stats.contingency_tables import mcnemar

from preceptor.evidence import tango_interval


@pytest.mark.parametrize(
    ("only_a", "only_b", "n", "low", "high"),
    [
        # Airway hyper-responsiveness before and after stem cell transplantation (Bentur 2009), as in Fagerland,
        # Lydersen and Laake 2014, Statist. Med. 33:2850.
        (1, 7, 21, -0.517, -0.026),
        # Complete response before and after consolidation therapy (Cavo 2012), as in the same authors' Statistical
        # Analysis of Contingency Tables, section 8.6.
        (6, 16, 161, -0.1240, -0.0054),
    ],
)
def test_published_examples(only_a: int, only_b: int, n: int, low: float, high: float) -> None:
    digits = 3 if n == 21 else 4
    assert tango_interval(only_a, only_b, n, 0.95) == pytest.approx((low, high), abs=0.6 * 10**-digits)


@pytest.mark.parametrize(("only_a", "only_b", "p"), [(1, 7, 0.0703), (6, 16, 0.0525)])
def test_published_mcnemar(only_a: int, only_b: int, p: float) -> None:
    """The exact conditional test of the same two examples."""
    assert mcnemar([[0, only_a], [only_b, 0]], exact=True).pvalue == pytest.approx(p, abs=5e-5)


def test_arms_that_never_disagreed_still_leave_a_width() -> None:
    """By hand: with no discordant pair the bounds are +-z^2 / (n + z^2), for 40 pairs at 90% 2.706 / 42.706."""
    assert tango_interval(0, 0, 40, 0.90) == pytest.approx((-0.0634, 0.0634), abs=5e-5)


def test_a_bound_at_the_end_of_what_is_possible() -> None:
    low, high = tango_interval(5, 0, 5, 0.95)
    assert (round(low, 3), high) == (0.131, 1.0)
    assert tango_interval(0, 5, 5, 0.95) == pytest.approx((-1.0, -low))


@given(st.integers(1, 400), st.data(), st.sampled_from([0.9, 0.95]))
def test_it_holds_what_was_seen_and_mirrors(n: int, data: st.DataObject, level: float) -> None:
    only_a = data.draw(st.integers(0, n))
    only_b = data.draw(st.integers(0, n - only_a))
    low, high = tango_interval(only_a, only_b, n, level)
    assert -1 <= low <= (only_a - only_b) / n <= high <= 1
    assert low < high
    assert tango_interval(only_b, only_a, n, level) == pytest.approx((-high, -low), abs=1e-8)
    wider = tango_interval(only_a, only_b, n, 0.99)
    assert np.all(np.array(wider) * [-1, 1] >= np.array((low, high)) * [-1, 1] - 1e-9)


@pytest.mark.parametrize(("only_a", "only_b", "n"), [(1, 7, 21), (6, 16, 161), (0, 3, 40), (12, 2, 50)])
def test_the_bounds_are_those_of_a_likelihood_maximised_numerically(only_a: int, only_b: int, n: int) -> None:
    """Tango 1998, section 3: the standardised difference at a bound is z, its variance by constrained likelihood."""

    def statistic(difference: float) -> float:
        def unlikely(share_b: float) -> float:
            shares = (share_b + difference, share_b, 1 - 2 * share_b - difference)
            return -float(np.sum(special.xlogy((only_a, only_b, n - only_a - only_b), shares)))

        lowest, highest = max(0.0, -difference), (1 - difference) / 2
        found = optimize.minimize_scalar(unlikely, bounds=(lowest, highest), method="bounded", options={"xatol": 1e-12})
        variance = (2 * found.x + difference - difference**2) / n
        return float(((only_a - only_b) / n - difference) / np.sqrt(variance))

    low, high = tango_interval(only_a, only_b, n, 0.95)
    assert (statistic(low), statistic(high)) == pytest.approx((1.959964, -1.959964), abs=1e-4)
