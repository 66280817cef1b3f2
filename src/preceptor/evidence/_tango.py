"""Tango's score interval for the difference of two proportions seen on the same patients."""

import numpy as np
from scipy import optimize, stats

from preceptor.evidence._sample import Floats

_EDGE = 1e-9  # the statistic is undefined at a difference of exactly -1 or 1
_LEAST = 1e-12  # rounding makes a variance of 0 a little less


def tango_statistic(only_a: Floats | float, only_b: Floats | float, n: float, difference: float) -> Floats:
    """How far `only_a` and `only_b` (...) lie from a true `difference` of a minus b, in standard errors (...).

    `only_a` counts the pairs in which only a is right, `only_b` those in which only b is; `n` pairs in all. Under the
    hypothesis, the share of pairs in which only b is right is estimated by maximum likelihood (Tango 1998, Statist.
    Med. 17:891, eq. 8).
    """
    b = -only_a - only_b + (2 * n - only_a + only_b) * difference
    c = -only_b * difference * (1 - difference)
    share_only_b = (np.sqrt(np.maximum(b * b - 8 * n * c, 0)) - b) / (4 * n)
    variance = np.maximum(n * (2 * share_only_b + difference * (1 - difference)), _LEAST)
    statistic: Floats = (only_a - only_b - n * difference) / np.sqrt(variance)
    return statistic


def tango_interval(only_a: float, only_b: float, n: float, level: float) -> tuple[float, float]:
    """The differences of a minus b that the score test does not refuse at 1 - `level`.

    It has width even where the arms never disagreed. Counts as in `tango_statistic`; `n` at least 1.
    """
    z = stats.norm.ppf((1 + level) / 2)

    def bound(at: float) -> float:
        def distance(difference: float) -> float:
            return float(tango_statistic(only_a, only_b, n, difference)) - at

        if distance(-1 + _EDGE) <= 0:
            return -1.0
        return 1.0 if distance(1 - _EDGE) >= 0 else float(optimize.brentq(distance, -1 + _EDGE, 1 - _EDGE, xtol=1e-12))

    return bound(z), bound(-z)
