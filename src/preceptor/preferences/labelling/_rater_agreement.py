"""Inter-rater agreement of a round, and each rater's test-retest (intra-rater) consistency."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from statsmodels.stats.proportion import proportion_confint

from preceptor.evidence import Agreement, Figure, Level, agreement
from preceptor.preferences.labelling._consensus import first_votes
from preceptor.preferences.labelling._items import COUNTS, Item
from preceptor.preferences.labelling._vote import Vote

_PREFERENCE = {"a": 1.0, "tie": 0.0, "both_bad": 0.0, "b": -1.0}

Read = Callable[[Item, Vote], list[float | None]]
"""Extracts the ratings of a vote on an item, None where missing."""


@dataclass(frozen=True, slots=True)
class Agreed:
    """Inter-rater agreement on one question: `preference`, `label`, or the name of a scale."""

    what: str
    found: Agreement


@dataclass(frozen=True, slots=True)
class Consistency:
    """Test-retest consistency of a rater: `share` of identical answers to `again` repeats, with Wilson's interval."""

    rater: str
    again: int
    share: Figure


def rater_agreement(items: Sequence[Item], votes: Sequence[Vote]) -> list[Agreed]:
    """Inter-rater agreement on every question, from first votes without the lead's; bootstrap over patients.

    Levels of measurement: preferences (first, neither, second), five-point scores and numeric labels are ordinal, other
    labels nominal, counts of omissions and fabrications interval.
    """
    compared = [item for item in items if item.kind != "gold"]
    found = [_agreed("preference", compared, votes, "ordinal", _preference)] if compared else []
    for scale in dict.fromkeys(scale for item in compared for scale in item.scales):
        level: Level = "interval" if scale in COUNTS else "ordinal"
        found.append(_agreed(scale, compared, votes, level, _score_of(scale)))
    labelled = [item for item in items if item.kind == "gold" and item.labels]
    if labelled:
        labels = labelled[0].labels
        codes = {label: float(code) for code, label in enumerate(labels)}
        level = "ordinal" if _are_ranks(labels) else "nominal"
        found.append(_agreed("label", labelled, votes, level, lambda _, vote: [codes.get(vote.choice or "")]))
    return found


def consistency(votes: Sequence[Vote]) -> list[Consistency]:
    """The consistency of each rater with repeats, sorted by name."""
    first = {(vote.rater, vote.item): vote.choice for vote in votes if not vote.repeat and vote.choice is not None}
    matches_of: dict[str, list[bool]] = {}
    for vote in votes:
        if vote.repeat and vote.choice is not None and (vote.rater, vote.item) in first:
            matches_of.setdefault(vote.rater, []).append(vote.choice == first[vote.rater, vote.item])
    return [Consistency(rater, len(text), _share(text)) for rater, text in sorted(matches_of.items())]


def _share(text: Sequence[bool]) -> Figure:
    low, high = proportion_confint(sum(text), len(text), method="wilson")
    return Figure(sum(text) / len(text), float(low), float(high))


def _are_ranks(labels: Sequence[str]) -> bool:
    """Whether the labels are sorted numbers, such as levels of urgency."""
    try:
        numbers = [float(label) for label in labels]
    except ValueError:
        return False
    return numbers in (sorted(numbers), sorted(numbers, reverse=True))


def _preference(_: Item, vote: Vote) -> list[float | None]:
    return [_PREFERENCE.get(vote.choice or "")]


def _score_of(scale: str) -> Read:
    def read(item: Item, vote: Vote) -> list[float | None]:
        given = vote.scores.get(scale, {})
        return [given.get(side) for side in "ab"]

    return read


def _agreed(what: str, items: Sequence[Item], votes: Sequence[Vote], level: Level, read: Read) -> Agreed:
    """Agreement of a matrix with one row per rating of an item and one column per rater."""
    used = first_votes(votes)
    raters = {name: column for column, name in enumerate(sorted({vote.rater for vote in used}))}
    item_of = {item.id: item for item in items}
    rows: dict[tuple[str, int], list[float]] = {}
    for vote in used:
        if item := item_of.get(vote.item):
            for index, value in enumerate(read(item, vote)):
                if value is not None:
                    row = rows.setdefault((vote.item, index), [np.nan] * len(raters))
                    row[raters[vote.rater]] = value
    if not rows:
        return Agreed(what, agreement(np.empty((0, 0)), level))
    keys = sorted(rows)
    groups = np.array([item_of[item].group for item, _ in keys])
    return Agreed(what, agreement(np.array([rows[key] for key in keys]), level, groups=groups))
