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


def open_items(db: sqlite3.Connection, rater: str, votes_per_item: int, taken: list[str]) -> list[int]:
    """Positions of the items this rater could still judge, in the round's order.

    An item has room for `votes_per_item` raters, those included who have it before them now (`taken`, one entry each);
    a gold item on which they all disagree has room for one more, who settles it.
    """
    rows = db.execute(
        "SELECT i.position, i.id, i.gold, count(s.seq), count(DISTINCT s.choice) FROM items i"
        " LEFT JOIN standing s ON s.item = i.id AND s.repeat = 0 AND s.role = 'rater' AND s.choice IS NOT NULL"
        " WHERE NOT EXISTS (SELECT 1 FROM standing m WHERE m.item = i.id AND m.repeat = 0 AND m.rater = ?)"
        " GROUP BY i.position ORDER BY i.position",
        (rater,),
    )
    return [
        position
        for position, item, gold, votes, choices in rows
        if votes + taken.count(item) < votes_per_item + (gold and votes == votes_per_item == choices > 1)
    ]
