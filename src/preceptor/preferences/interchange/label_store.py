"""The store of the labelling page: what raters chose becomes pairs and right answers.

What stands for an item is the lead's vote, else what more than half of its raters chose; skips and repeats do not
count. An ideal answer that a rater wrote is the case's right answer and the better one of its pair.
"""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from preceptor.preferences.interchange._case import turn
from preceptor.preferences.interchange._row import Lost, Row
from preceptor.preferences.labelling import PREFERENCES, Item, Store, Vote, majority
from preceptor.tasks import Message


def read_store(file: Path) -> tuple[list[Row], Lost]:
    """The rows that votes settle, in the store's order. InputError when this is no label store."""
    store = Store.open(file)
    try:
        items, votes = store.items(), store.votes()
    finally:
        store.close()
    lost: Counter[str] = Counter()
    rows = [_row(item, [vote for vote in votes if vote.item == item.id], lost) for item in items]
    return [row for row in rows if row], Lost(dict(lost))


def _row(item: Item, votes: Sequence[Vote], lost: Counter[str]) -> Row | None:
    counted = [vote for vote in votes if vote.choice is not None and not vote.repeat]
    led = [vote for vote in counted if vote.role == "lead"]
    choice = led[-1].choice if led else majority([vote.choice or "" for vote in counted])
    if choice is None:
        lost["items in dispute" if counted else "items without a vote"] += 1
        return None
    extra = {"origin": "votes", "raters": len({vote.rater for vote in counted})}
    ideal = next((vote.edited for vote in reversed(led or counted) if vote.choice == choice and vote.edited), None)
    if item.kind == "gold":
        return Row(item.example_id, item.group, _messages(item), target=choice, extra=extra)
    assert choice in PREFERENCES
    if choice in ("a", "b"):
        better, worse = item.answers if choice == "a" else item.answers[::-1]
        extra |= {"chosen_source": better.source, "rejected_source": worse.source}
        return Row(item.example_id, item.group, _messages(item), ideal, ideal or better.text, worse.text, extra)
    if ideal:
        return Row(item.example_id, item.group, _messages(item), ideal, extra=extra)
    lost["items that came out as a tie" if choice == "tie" else "items of which both answers are bad"] += 1
    return None


def _messages(item: Item) -> tuple[Message, ...]:
    """The case as raters saw it, then the question."""
    fields = [f"{name}: {text}" if len(item.case) > 1 else text for name, text in item.case]
    return (turn("user", "\n\n".join([*fields, item.question])),)
