"""How far the raters of a round agree with each other, and each with what they said before."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from statsmodels.stats.proportion import proportion_confint

from preceptor.evidence import Agreement, Figure, Level, agreement
from preceptor.preferences.labelling._consensus import first_votes
from preceptor.preferences.labelling._items import COUNTS, Item
from preceptor.preferences.labelling._votes import Vote

_PREFERENCE = {"a": 1.0, "tie": 0.0, "both_bad": 0.0, "b": -1.0}

Read = Callable[[Item, Vote], list[float | None]]
"""What a vote says of each thing rated in an item, None where it says nothing."""


@dataclass(frozen=True, slots=True)
class Agreed:
    """Raters' agreement in one thing that they are asked: `preference`, `label`, or the name of a scale."""

    what: str
    found: Agreement


@dataclass(frozen=True, slots=True)
class Consistency:
    """How often a rater who was asked again said the same: `share`, with Wilson's interval, of `again` times."""

    rater: str
    again: int
    share: Figure


def rater_agreement(items: Sequence[Item], votes: Sequence[Vote]) -> list[Agreed]:
    """Agreement in all that raters were asked, first votes only and without the lead's; patients are resampled.

    Which answer is better counts as a rank: first, neither, second. So do five-point scores, of which each answer has
    its own, and labels that are numbers. Other labels are names; omissions and fabrications are counted.
    """
    asked = [item for item in items if item.kind != "gold"]
    found = [_agreed("preference", asked, votes, "ordinal", _preference)] if asked else []
    for scale in dict.fromkeys(scale for item in asked for scale in item.scales):
        level: Level = "interval" if scale in COUNTS else "ordinal"
        found.append(_agreed(scale, asked, votes, level, _score_of(scale)))
    labelled = [item for item in items if item.kind == "gold" and item.labels]
    if labelled:
        labels = labelled[0].labels
        codes = {label: float(code) for code, label in enumerate(labels)}
        level = "ordinal" if _are_ranks(labels) else "nominal"
        found.append(_agreed("label", labelled, votes, level, lambda _, vote: [codes.get(vote.choice or "")]))
    return found


def consistency(votes: Sequence[Vote]) -> list[Consistency]:
    """How often each rater who was asked again said the same, by name."""
    before = {(vote.rater, vote.item): vote.choice for vote in votes if not vote.repeat and vote.choice is not None}
    same: dict[str, list[bool]] = {}
    for vote in votes:
        if vote.repeat and vote.choice is not None and (vote.rater, vote.item) in before:
            same.setdefault(vote.rater, []).append(vote.choice == before[vote.rater, vote.item])
    return [Consistency(rater, len(said), _share(said)) for rater, said in sorted(same.items())]


def _share(said: Sequence[bool]) -> Figure:
    low, high = proportion_confint(sum(said), len(said), method="wilson")
    return Figure(sum(said) / len(said), float(low), float(high))


def _are_ranks(labels: Sequence[str]) -> bool:
    """Whether the labels are numbers in order, as levels of urgency are."""
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
    """Each thing rated in each item is a row of ratings, each rater a column."""
    counted = first_votes(votes)
    raters = {name: column for column, name in enumerate(sorted({vote.rater for vote in counted}))}
    item_of = {item.id: item for item in items}
    rows: dict[tuple[str, int], list[float]] = {}
    for vote in counted:
        if item := item_of.get(vote.item):
            for place, value in enumerate(read(item, vote)):
                if value is not None:
                    row = rows.setdefault((vote.item, place), [np.nan] * len(raters))
                    row[raters[vote.rater]] = value
    if not rows:
        return Agreed(what, agreement(np.empty((0, 0)), level))
    places = sorted(rows)
    groups = np.array([item_of[item].group for item, _ in places])
    return Agreed(what, agreement(np.array([rows[place] for place in places]), level, groups=groups))
