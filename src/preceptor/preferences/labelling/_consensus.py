"""Consensus: one result per item from the votes of several raters and the lead."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from preceptor.preferences.labelling._items import Item
from preceptor.preferences.labelling._vote import Vote, majority


@dataclass(frozen=True, slots=True)
class Settled:
    """The consensus on an item with votes. Its `repr` shows no text.

    choice: the lead's adjudication, else the majority's; None for a dispute without adjudication. ideal: the answer
    that a rater with this choice wrote. raters: how many voted. by_lead: whether the lead adjudicated.
    """

    item: Item
    choice: str | None = field(repr=False)
    ideal: str | None = field(repr=False)
    raters: int
    by_lead: bool


def first_votes(votes: Sequence[Vote]) -> list[Vote]:
    """The raters' first votes: without the lead's, skips, repeats and undone votes."""
    return [vote for vote in votes if vote.role == "rater" and vote.choice is not None and not _is_not_first(vote)]


def settle(items: Sequence[Item], votes: Sequence[Vote]) -> list[Settled]:
    """The consensus on every item with votes, in the order of the round."""
    of_item: dict[str, list[Vote]] = {item.id: [] for item in items}
    for vote in votes:
        if vote.choice is not None and not _is_not_first(vote):
            of_item[vote.item].append(vote)
    return [_settled(item, of_item[item.id]) for item in items if of_item[item.id]]


def _is_not_first(vote: Vote) -> bool:
    return vote.repeat or vote.undone


def _settled(item: Item, votes: Sequence[Vote]) -> Settled:
    leads = [vote for vote in votes if vote.role == "lead"]
    choice = leads[-1].choice if leads else majority(vote.choice or "" for vote in votes)
    ideals = [vote.edited for vote in leads or votes if vote.choice == choice and vote.edited and vote.edited.strip()]
    return Settled(item, choice, ideals[-1] if ideals else None, len({vote.rater for vote in votes}), bool(leads))
