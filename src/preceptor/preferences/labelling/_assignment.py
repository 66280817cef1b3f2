"""Assignment of items to raters: what a rater sees next, and how many items are open for them."""

import random
import sqlite3
from dataclasses import dataclass

from preceptor.preferences.labelling._items import Item
from preceptor.preferences.labelling._vote import Order, Vote

REPEAT_GAP = 5
"""Votes between an item and its repeat, which measures test-retest consistency."""


@dataclass(frozen=True, slots=True)
class Assignment:
    """An item assigned to a rater: position in the round, order of the answers, and their undone vote, if any."""

    position: int
    item: Item
    order: Order
    repeat: bool
    before: Vote | None = None


def order_for(seed: int, rater: str, item: str, repeat: bool) -> Order:
    """The order of the answers: random per rater, item and repeat, deterministic for a seed."""
    return random.Random(f"{seed} {rater} {item} {repeat}").choice(("ab", "ba"))


def undone_item(db: sqlite3.Connection, rater: str) -> tuple[str, bool] | None:
    """The last item that the rater has undone and not judged since: (item, repeat)."""
    row = db.execute(
        "SELECT v.item, v.repeat FROM votes u JOIN votes v ON v.seq = u.undoes WHERE u.rater = ? AND NOT EXISTS"
        " (SELECT 1 FROM standing s WHERE s.item = v.item AND s.repeat = v.repeat AND s.rater = v.rater)"
        " ORDER BY u.seq DESC LIMIT 1",
        (rater,),
    ).fetchone()
    return (row[0], bool(row[1])) if row else None


def has_vote(db: sqlite3.Connection, rater: str, item: str, repeat: bool, *, skips: bool = True) -> bool:
    """Whether the rater has an effective vote on the item, or, with `skips`, has skipped it."""
    query = "SELECT 1 FROM standing WHERE item = ? AND repeat = ? AND rater = ? AND (? OR choice IS NOT NULL)"
    return db.execute(query, (item, repeat, rater, skips)).fetchone() is not None


def repeat_due(db: sqlite3.Connection, rater: str, share: float) -> str | None:
    """The item to repeat for this rater, if one is due: the earliest judged of those not repeated yet."""
    rows = db.execute(
        "SELECT repeat, choice, seq, item FROM standing WHERE rater = ? ORDER BY seq", (rater,)
    ).fetchall()
    firsts = [item for repeat, choice, _, item in rows if not repeat and choice is not None]
    repeated = {item for repeat, _, _, item in rows if repeat}
    if len(repeated) + 1 > len(firsts) * share:
        return None
    return next((item for item in firsts[:-REPEAT_GAP] if item not in repeated), None)


# Items are open until :most raters have voted; gold items on which all disagree get one more vote as adjudication.
_OPEN = """
FROM tally t WHERE (t.votes < :most OR (t.gold AND :most > 1 AND t.votes = :most AND t.votes =
    (SELECT count(DISTINCT s.choice) FROM standing s WHERE s.item = t.item AND s.repeat = 0 AND s.role = 'rater')))
AND NOT EXISTS (SELECT 1 FROM standing m WHERE m.item = t.item AND m.repeat = 0 AND m.rater = :rater)
"""


def first_open(db: sqlite3.Connection, rater: str, votes_per_item: int, leased: list[str]) -> str | None:
    """The first item in the round's order that is open for this rater, if any.

    leased: items shown to other raters now, one entry per rater; their votes count as given.
    """
    query = f"SELECT t.item, t.votes, t.gold {_OPEN} ORDER BY t.position"
    for item, votes, gold in db.execute(query, {"most": votes_per_item, "rater": rater}):
        most = votes_per_item + (gold and votes >= votes_per_item)
        if votes + leased.count(item) < most:
            return str(item)
    return None


def count_open(db: sqlite3.Connection, rater: str, votes_per_item: int) -> int:
    """How many items are open for this rater."""
    return int(db.execute(f"SELECT count(*) {_OPEN}", {"most": votes_per_item, "rater": rater}).fetchone()[0])
