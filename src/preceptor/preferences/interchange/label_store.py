"""Label stores: the consensus of votes becomes pairs and right answers.

The consensus on an item is the lead's vote, else the raters' majority; skips and repeats do not count. An ideal answer
written by a rater is the case's right answer and the chosen one of its pair.
"""

from pathlib import Path

from preceptor.preferences.interchange._record import message
from preceptor.preferences.interchange._row import Lost, Row
from preceptor.preferences.labelling import Item, read_round
from preceptor.preferences.labelling._consensus import Settled, settle
from preceptor.tasks import Message


def read_store(file: Path) -> tuple[list[Row], Lost]:
    """The rows of items with a consensus, in the store's order. InputError when this is not a label store."""
    items, votes = read_round(file)
    settled = settle(items, votes)
    unvoted = len(items) - len(settled)
    lost = Lost({"items without a vote": unvoted} if unvoted else {})
    rows = [_row(one, lost) for one in settled]
    return [row for row in rows if row], lost


def _row(settled: Settled, lost: Lost) -> Row | None:
    item, choice, ideal = settled.item, settled.choice, settled.ideal
    extra = {"origin": "votes", "raters": settled.raters}
    if choice is None:
        lost["items in dispute"] += 1
        return None
    if item.kind == "gold":
        return Row(item.example_id, item.group, _messages(item), target=choice, extra=extra)
    if choice in ("a", "b"):
        better, worse = item.answers if choice == "a" else item.answers[::-1]
        extra |= {"chosen_source": better.source, "rejected_source": worse.source}
        return Row(item.example_id, item.group, _messages(item), ideal, ideal or better.text, worse.text, extra)
    if ideal:
        return Row(item.example_id, item.group, _messages(item), ideal, extra=extra)
    lost["items that came out as a tie" if choice == "tie" else "items of which both answers are bad"] += 1
    return None


def _messages(item: Item) -> tuple[Message, ...]:
    """The case as shown to raters, then the question."""
    fields = [f"{name}: {text}" if len(item.case) > 1 else text for name, text in item.case]
    return (message("user", "\n\n".join([*fields, item.question])),)
