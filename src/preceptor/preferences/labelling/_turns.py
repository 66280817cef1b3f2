"""Whose turn is which item: what a rater sees next, and how much is left for them."""

import random
import sqlite3
from dataclasses import dataclass

from preceptor.preferences.labelling._items import Item
from preceptor.preferences.labelling._votes import Order, Vote

GAP = 5
"""A case comes back, to see whether its rater says the same again, after at least so many others."""


@dataclass(frozen=True, slots=True)
class Turn:
    """An item before a rater: its number in the round, which answer stands left, what they had said before undoing."""

    position: int
    item: Item
    order: Order
    repeat: bool
    before: Vote | None = None


def order_for(seed: int, rater: str, item: str, repeat: bool) -> Order:
    """Which answer stands left: a coin for each rater, item and time of asking, the same after a restart."""
    return random.Random(f"{seed} {rater} {item} {repeat}").choice(("ab", "ba"))


def undone_item(db: sqlite3.Connection, rater: str) -> tuple[str, bool] | None:
    """What the rater took back last and has not judged again: (item, repeat)."""
    row = db.execute(
        "SELECT v.item, v.repeat FROM votes u JOIN votes v ON v.seq = u.undoes WHERE u.rater = ? AND NOT EXISTS"
        " (SELECT 1 FROM standing s WHERE s.item = v.item AND s.repeat = v.repeat AND s.rater = v.rater)"
        " ORDER BY u.seq DESC LIMIT 1",
        (rater,),
    ).fetchone()
    return (row[0], bool(row[1])) if row else None


def has_vote(db: sqlite3.Connection, rater: str, item: str, repeat: bool) -> bool:
    """Whether a vote or a skip of this rater stands on the item."""
    query = "SELECT 1 FROM standing WHERE item = ? AND repeat = ? AND rater = ?"
    return db.execute(query, (item, repeat, rater)).fetchone() is not None


def has_judged(db: sqlite3.Connection, rater: str, item: str) -> bool:
    """Whether this rater's own first vote, and no skip, stands on the item: only then can it be put to them again."""
    query = "SELECT 1 FROM standing WHERE item = ? AND repeat = 0 AND rater = ? AND choice IS NOT NULL"
    return db.execute(query, (item, rater)).fetchone() is not None


def repeat_due(db: sqlite3.Connection, rater: str, share: float) -> str | None:
    """The item to show this rater again, when one is due: the earliest judged of those they were not asked twice."""
    rows = db.execute(
        "SELECT repeat, choice, seq, item FROM standing WHERE rater = ? ORDER BY seq", (rater,)
    ).fetchall()
    firsts = [item for repeat, choice, _, item in rows if not repeat and choice is not None]
    again = {item for repeat, _, _, item in rows if repeat}
    if len(again) + 1 > len(firsts) * share:
        return None
    return next((item for item in firsts[:-GAP] if item not in again), None)


# An item has room for so many raters; a gold item on which they all disagree has room for one more, who settles it.
_OPEN = """
FROM tally t WHERE (t.votes < :most OR (t.gold AND :most > 1 AND t.votes = :most AND t.votes =
    (SELECT count(DISTINCT s.choice) FROM standing s WHERE s.item = t.item AND s.repeat = 0 AND s.role = 'rater')))
AND NOT EXISTS (SELECT 1 FROM standing m WHERE m.item = t.item AND m.repeat = 0 AND m.rater = :rater)
"""


def first_open(db: sqlite3.Connection, rater: str, votes_per_item: int, taken: list[str]) -> str | None:
    """The first item in the round's order that this rater could still judge, if there is one.

    `taken` names items that lie before other raters now, once for each: their votes are counted already.
    """
    query = f"SELECT t.item, t.votes, t.gold {_OPEN} ORDER BY t.position"
    for item, votes, gold in db.execute(query, {"most": votes_per_item, "rater": rater}):
        most = votes_per_item + (gold and votes >= votes_per_item)
        if votes + taken.count(item) < most:
            return str(item)
    return None


def count_open(db: sqlite3.Connection, rater: str, votes_per_item: int) -> int:
    """How many items this rater could still judge, if no other rater did."""
    return int(db.execute(f"SELECT count(*) {_OPEN}", {"most": votes_per_item, "rater": rater}).fetchone()[0])
