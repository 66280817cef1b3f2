"""What several votes on one item come to."""

from collections.abc import Sequence
from dataclasses import dataclass, field

# Not from the package itself: its page for the lead shows what this file finds.
from preceptor.preferences.labelling._items import Item
from preceptor.preferences.labelling._votes import Vote, majority


@dataclass(frozen=True, slots=True)
class Settled:
    """An item that was voted on. Its `repr` shows no text.

    `choice` is the lead's, else what more than half of the raters chose; None: they disagree and nobody has settled it.
    `ideal` is the answer that one of those who chose so would have written; `raters` how many voted.
    """

    item: Item
    choice: str | None = field(repr=False)
    ideal: str | None = field(repr=False)
    raters: int
    by_lead: bool


def first_votes(votes: Sequence[Vote]) -> list[Vote]:
    """The raters' votes that count, without the lead's and without those asked for again to see whether they last."""
    return [vote for vote in votes if vote.role == "rater" and vote.choice is not None and not _is_no_first(vote)]


def settle(items: Sequence[Item], votes: Sequence[Vote]) -> list[Settled]:
    """Every item with a vote, in the order of the round."""
    of_item: dict[str, list[Vote]] = {item.id: [] for item in items}
    for vote in votes:
        if vote.choice is not None and not _is_no_first(vote):
            of_item[vote.item].append(vote)
    return [_settled(item, of_item[item.id]) for item in items if of_item[item.id]]


def _is_no_first(vote: Vote) -> bool:
    return vote.repeat or vote.undone


def _settled(item: Item, votes: Sequence[Vote]) -> Settled:
    led = [vote for vote in votes if vote.role == "lead"]
    choice = led[-1].choice if led else majority(vote.choice or "" for vote in votes)
    written = [vote.edited for vote in led or votes if vote.choice == choice and vote.edited and vote.edited.strip()]
    return Settled(item, choice, written[-1] if written else None, len({vote.rater for vote in votes}), bool(led))
