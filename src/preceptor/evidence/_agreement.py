"""How far raters agree with each other: raw agreement, Krippendorff's alpha and Cohen's kappa, with intervals.

All three are worked out from sums over items, so that a resample of items is one matrix product.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from preceptor.evidence._resampling import expanded_interval, resampled_weights
from preceptor.evidence._sample import Floats

Level = Literal["nominal", "ordinal", "interval"]
"""What ratings are: names, ranks, or numbers whose distances mean something."""

_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure with its 95% interval; None where it is undefined, or where nothing can be told of its uncertainty."""

    value: float | None
    low: float | None = None
    high: float | None = None

    @property
    def ci(self) -> tuple[float | None, float | None]:
        """The interval."""
        return self.low, self.high


@dataclass(frozen=True, slots=True)
class Agreement:
    """What raters of the same items have in common. `items` counts those that two or more of the `raters` rated.

    raw: of the pairs of ratings of one item, the share that are alike, each item weighing as much as it has ratings;
    alpha: 1 is perfect agreement, 0 what chance gives, for any number of raters and with ratings missing
    (Krippendorff 2011, Computing Krippendorff's Alpha-Reliability); kappa: the same for two raters (Cohen 1960), for
    ranks and numbers weighted by squared distance (Cohen 1968); of more raters, the mean over their pairs (Light 1971),
    each pair weighing as many items as it shares.
    """

    level: Level
    items: int
    raters: int
    raw: Figure
    alpha: Figure
    kappa: Figure


def agreement(ratings: Floats, level: Level, *, groups: NDArray[np.generic] | None = None, seed: int = 0) -> Agreement:
    """Agreement in `ratings` (items, raters), NaN where a rater did not rate an item.

    Intervals are expanded percentiles (see `expanded_interval`): items are resampled 2,000 times, or, with `groups`
    (items,), all items of a patient together. There are none where nobody disagrees: resampling cannot see what none of
    these items happened to show.
    """
    rated = ~np.isnan(ratings)
    kept = rated.sum(axis=1) >= 2
    if not kept.any():
        nothing = Figure(None)
        return Agreement(level, 0, 0, nothing, nothing, nothing)
    values, codes = np.unique(ratings[rated], return_inverse=True)
    is_value = np.zeros((*ratings.shape, len(values)))
    is_value[(*np.nonzero(rated), codes)] = 1
    units = np.unique(groups[kept], return_inverse=True)[1] if groups is not None else np.arange(kept.sum())
    found = _Tables.of(is_value[kept], values, units, level)
    figures = found.figures(np.ones((1, found.units)))
    blocks = resampled_weights(found.units, np.random.default_rng(seed))
    drawn = np.concatenate([found.figures(weights) for weights in blocks])
    unanimous = figures[0, 0] > 1 - _ROUNDING
    three = [_figure(float(figures[0, i]), drawn[:, i], found.units, unanimous=unanimous) for i in range(3)]
    return Agreement(level, int(kept.sum()), int(rated[kept].any(axis=0).sum()), *three)


def _figure(value: float, drawn: Floats, units: int, *, unanimous: bool) -> Figure:
    if np.isnan(value):
        return Figure(None)
    low, high = (None, None) if unanimous else expanded_interval(drawn, units, 0.95) or (None, None)
    return Figure(value, low, high)


@dataclass(frozen=True, slots=True)
class _Tables:
    """What the figures are worked out from, of K `values` rated in so many `units`.

    `coincidences` (units, K * K); `pairs`: for each two raters who share items, the units they share them in (n,) and
    their contingency tables there (n, K * K).
    """

    level: Level
    values: Floats
    units: int
    coincidences: Floats
    pairs: list[tuple[NDArray[Any], Floats]]

    @classmethod
    def of(cls, is_value: Floats, values: Floats, units: NDArray[Any], level: Level) -> "_Tables":
        """From indicators (items, raters, K) and the unit of each item (items,)."""
        count, cells = int(units.max()) + 1, len(values) ** 2
        counts = is_value.sum(axis=1)
        # Krippendorff 2011, step 2: each pair of ratings of an item with m of them weighs 1 / (m - 1).
        pairs = counts[:, :, None] * counts[:, None, :] - counts[:, :, None] * np.eye(len(values))
        pairs /= (counts.sum(axis=1) - 1)[:, None, None]
        coincidences = _added_up(pairs.reshape(-1, cells), units, count)
        return cls(level, values, count, coincidences, list(_rater_pairs(is_value, units, count)))

    def figures(self, weights: Floats) -> Floats:
        """Raw agreement, alpha and kappa, (rows, 3), for each row of unit weights (rows, units); NaN: undefined."""
        k = len(self.values)
        coincidences = (weights @ self.coincidences).reshape(-1, k, k)
        raw = _share(np.trace(coincidences, axis1=1, axis2=2), coincidences.sum(axis=(1, 2)))
        return np.column_stack([raw, _alpha(coincidences, self._squares(coincidences)), self._kappa(weights)])

    def _squares(self, coincidences: Floats) -> Floats:
        """Squared differences between values, (rows, K, K) or (K, K): Krippendorff 2011, step 4."""
        if self.level != "ordinal":
            return squared_distances(self.values, self.level)
        # Half of each end and all ranks between them, which is the distance of the two middle ranks.
        marginals = coincidences.sum(axis=2)
        middle = np.cumsum(marginals, axis=1) - marginals / 2
        squares: Floats = (middle[:, :, None] - middle[:, None, :]) ** 2
        return squares

    def _kappa(self, weights: Floats) -> Floats:
        k, squares = len(self.values), squared_distances(self.values, self.level)
        summed, shared = np.zeros(len(weights)), np.zeros(len(weights))
        for units, tables in self.pairs:
            table = (weights[:, units] @ tables).reshape(-1, k, k)
            found = kappa(table, squares)
            defined = ~np.isnan(found)
            summed[defined] += (found * table.sum(axis=(1, 2)))[defined]
            shared[defined] += table.sum(axis=(1, 2))[defined]
        return _share(summed, shared)


def squared_distances(values: Floats, level: Level) -> Floats:
    """How grave it is to take one of `values` (K,) for another, (K, K): all alike for names, else squared distance."""
    apart: Floats = values[:, None] - values[None, :]
    return (apart != 0).astype(float) if level == "nominal" else apart**2


def kappa(tables: Floats, disagreement: Floats) -> Floats:
    """Cohen's kappa of contingency tables (rows, K, K) with disagreement weights (K, K): (rows,); NaN: undefined.

    1 - (observed over expected disagreement), Cohen 1968.
    """
    expected = tables.sum(axis=2)[:, :, None] * tables.sum(axis=1)[:, None, :]
    observed = (tables * disagreement).sum(axis=(1, 2)) * tables.sum(axis=(1, 2))
    found: Floats = 1 - _share(observed, (expected * disagreement).sum(axis=(1, 2)))
    return found


def _alpha(coincidences: Floats, squares: Floats) -> Floats:
    """(rows, K, K) -> (rows,): 1 - (n - 1) * observed over expected, Krippendorff 2011, step 5."""
    marginals = coincidences.sum(axis=2)
    expected = (marginals[:, :, None] * marginals[:, None, :] * squares).sum(axis=(1, 2))
    observed = (coincidences * squares).sum(axis=(1, 2)) * (marginals.sum(axis=1) - 1)
    found: Floats = 1 - _share(observed, expected)
    return found


def _rater_pairs(is_value: Floats, units: NDArray[Any], count: int) -> Iterator[tuple[NDArray[Any], Floats]]:
    for one, other in combinations(range(is_value.shape[1]), 2):
        tables = is_value[:, one, :, None] * is_value[:, other, None, :]
        shared = tables.any(axis=(1, 2))
        if shared.any():
            whole = _added_up(tables[shared].reshape(int(shared.sum()), -1), units[shared], count)
            there = np.unique(units[shared])
            yield there, whole[there]


def _added_up(per_item: Floats, units: NDArray[Any], count: int) -> Floats:
    """(items, c) -> (count, c)."""
    summed = np.zeros((count, per_item.shape[1]))
    np.add.at(summed, units, per_item)
    return summed


def _share(top: Floats, bottom: Floats) -> Floats:
    """(rows,) over (rows,), NaN where the lower one is 0."""
    share: Floats = np.divide(top, bottom, out=np.full(np.shape(top), np.nan), where=bottom > 0)
    return share
