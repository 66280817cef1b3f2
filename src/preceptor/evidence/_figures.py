"""Figures that are functions of numbers of items, such as a perplexity: intervals, and two arms on the same items."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from preceptor.evidence._resampling import SEED, SWAPS, case_weights, expanded_interval, resampled_weights, swaps
from preceptor.evidence._sample import Floats, Ints
from preceptor.evidence._seeds import FEWEST_SEEDS, across_seeds

Columns = Mapping[str, Floats]
"""Name -> a number of each item, (items,)."""
FigureValue = Callable[[Columns, Floats], Floats]
"""Columns, and weights (rows, items) -> the figure with each row's weights, (rows,); NaN where it is undefined."""

_ROUNDING = 1e-12


@dataclass(frozen=True)
class FigureEstimate:
    """`low` and `high` are the 95% interval, whole groups resampled; None of one group."""

    value: float
    low: float | None
    high: float | None


@dataclass(frozen=True)
class FigureDifference:
    """The first arm minus the second, the mean over seeds, on the same items.

    `low` and `high`: 95% interval, whole groups resampled, None of one group. `p`: two-sided, the arms of whole groups
    exchanged at random (Phipson and Smyth 2010, eq. 2).
    """

    delta: float
    low: float | None
    high: float | None
    p: float


def estimate_figure(value: FigureValue, columns: Columns, groups: NDArray[np.generic]) -> FigureEstimate:
    """A figure of items, groups (items,) being whose they are."""
    group = np.unique(groups, return_inverse=True)[1]
    count = int(group.max()) + 1
    drawn = np.concatenate([value(columns, weights) for weights in _resamples(group, count)])
    low, high = expanded_interval(drawn, count, 0.95) or (None, None)
    return FigureEstimate(float(value(columns, np.ones((1, len(group))))[0]), low, high)


def compare_figure(
    value: FigureValue, a: Sequence[Columns], b: Sequence[Columns], groups: NDArray[np.generic]
) -> FigureDifference:
    """Two arms on the same items, each with its columns of every seed.

    With `FEWEST_SEEDS` or more, interval and p are those of `across_seeds`, as in `compare`, and what is said holds for
    the method.
    """
    group = np.unique(groups, return_inverse=True)[1]
    count = int(group.max()) + 1

    def difference(weights: Floats) -> Floats:
        deltas: Floats = np.mean([value(one, weights) - value(two, weights) for one, two in zip(a, b, strict=True)], 0)
        return deltas

    drawn = np.concatenate([difference(weights) for weights in _resamples(group, count)])
    every = np.ones((1, len(group)))
    deltas = [float((value(one, every) - value(two, every))[0]) for one, two in zip(a, b, strict=True)]
    delta = float(np.mean(deltas))
    if len(deltas) >= FEWEST_SEEDS and count > 1 and np.all(np.isfinite(deltas)):
        # A resample varies by (n - 1) / n of what groups drawn from the population would.
        both = across_seeds(deltas, math.sqrt(float(np.nanvar(drawn)) * count / (count - 1)), count)
        return FigureDifference(delta, *both.interval(0.95), both.p)
    low, high = expanded_interval(drawn, count, 0.95) or (None, None)
    return FigureDifference(delta, low, high, _swap_p(value, a, b, group, count, abs(delta)))


def _resamples(group: Ints, count: int) -> Iterator[Floats]:
    for weights in resampled_weights(count, np.random.default_rng(SEED)):
        yield from case_weights(weights, group)


def _swap_p(
    value: FigureValue, a: Sequence[Columns], b: Sequence[Columns], group: Ints, count: int, delta: float
) -> float:
    """With both arms in one set of columns, an exchange is which half of the items counts."""
    both = [{name: np.concatenate([one[name], two[name]]) for name in one} for one, two in zip(a, b, strict=True)]
    as_large = 0
    for swap in swaps(count, np.random.default_rng(SEED)):
        for items in case_weights(swap, group):
            first, second = np.hstack([1 - items, items]), np.hstack([items, 1 - items])
            change = np.mean([value(one, first) - value(one, second) for one in both], 0)
            as_large += int(np.sum(np.abs(change) >= delta - _ROUNDING))
    return (as_large + 1) / (SWAPS + 1)
