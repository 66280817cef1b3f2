"""Export of a round's votes as CSV, one row per vote, for spreadsheets and statistics software."""

import csv
import io
from contextlib import closing
from pathlib import Path
from typing import Any

from preceptor.files import write_atomic
from preceptor.preferences.interchange.table import guarded
from preceptor.preferences.labelling import Item, Store, Vote


def write_votes(path: Path, file: Path) -> int:
    """Write every vote in the store at `path` to the CSV `file`, private to its owner; returns their number.

    `answer_a` and `answer_b` are the sources of the answers, `order` the order shown; each scale has a column for both.
    Skips have no choice; `repeat` and `undone` are 0 or 1. Raises `InputError` when there is no such store.
    """
    with closing(Store.open(path)) as store:
        items, votes = {item.id: item for item in store.items()}, store.votes(effective=False)
    scales = list(dict.fromkeys(scale for item in items.values() for scale in item.scales))
    rows = [_row(items[vote.item], vote, scales) for vote in votes]
    out = io.StringIO(newline="")
    table = csv.DictWriter(out, _row_names(scales), quoting=csv.QUOTE_ALL)
    table.writeheader()
    table.writerows({name: guarded(str(cell)) for name, cell in row.items()} for row in rows)
    write_atomic(file, ("\ufeff" + out.getvalue()).encode(errors="replace"))  # Excel needs the byte-order mark
    return len(rows)


def _row_names(scales: list[str]) -> list[str]:
    points = [f"{scale}_{answer}" for scale in scales for answer in "ab"]
    before = ["item", "case", "patient", "rater", "role", "repeat", "choice", "answer_a", "answer_b", "order"]
    return [*before, *points, "note", "edited", "seconds", "time", "undone"]


def _row(item: Item, vote: Vote, scales: list[str]) -> dict[str, Any]:
    answer_a, answer_b = [answer.source for answer in item.answers] or ("", "")
    points = {f"{scale}_{answer}": vote.scores.get(scale, {}).get(answer, "") for scale in scales for answer in "ab"}
    return points | {
        "item": item.id,
        "case": item.example_id,
        "patient": item.group,
        "rater": vote.rater,
        "role": vote.role,
        "repeat": int(vote.repeat),
        "choice": vote.choice or "",
        "answer_a": answer_a,
        "answer_b": answer_b,
        "order": vote.order if item.answers else "",
        "note": vote.note,
        "edited": vote.edited or "",
        "seconds": vote.seconds,
        "time": vote.time,
        "undone": int(vote.undone),
    }
