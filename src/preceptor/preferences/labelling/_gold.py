"""Gold from a store: what two raters said alike, or a third or the lead settled."""

import csv
import io
from dataclasses import dataclass, field
from pathlib import Path

from preceptor.errors import InputError, Problem
from preceptor.files import write_atomic
from preceptor.preferences.labelling import Item, Store
from preceptor.preferences.labelling._case import is_of
from preceptor.preferences.labelling._consensus import settle
from preceptor.tasks import Task

_FEWEST = 2
"""So many raters must say the same, where the round asks for more than one."""


@dataclass(frozen=True, slots=True)
class GoldRow:
    """A case and the answer that is right. Its `repr` shows no text. `settled`: raters had disagreed about it."""

    item: Item
    answer: str = field(repr=False)
    raters: int
    settled: bool


@dataclass(frozen=True, slots=True)
class Gold:
    """What a round of gold labels came to: `rows`, and the items that are not: raters disagree, or too few spoke."""

    rows: list[GoldRow]
    in_dispute: list[Item]
    waiting: list[Item]


def gold(path: Path) -> Gold:
    """Gold by the votes in the store at `path`. Raises `InputError` when that is no store, or a store of pairs.

    Gold is what the lead says, else what two raters say alike and no more say otherwise.
    """
    store = Store.open(path)
    try:
        items, votes, asked = store.items(), store.votes(), int(store.about["votes_per_item"])
    finally:
        store.close()
    if any(item.kind != "gold" for item in items):
        fix = "Name a store that `preceptor label --gold` made."
        raise InputError(Problem(str(path), "raters compared answers here, and gave no gold labels", fix))
    found = Gold([], [], [])
    voted = {one.item.id: one for one in settle(items, votes)}
    for item in items:
        one = voted.get(item.id)
        if one is None or (one.raters < min(_FEWEST, asked) and not one.by_lead):
            found.waiting.append(item)
        elif one.choice is None:
            found.in_dispute.append(item)
        else:
            said = {vote.choice for vote in votes if vote.item == item.id and not vote.repeat and vote.role == "rater"}
            found.rows.append(GoldRow(item, one.choice, one.raters, settled=said != {one.choice}))
    return found


def write_gold(path: Path, task: Task, file: Path) -> Gold:
    """Write the gold of the store at `path` to the CSV `file`, private to its owner, and return what it came to.

    Columns: `id`, `patient`, the task's fields, and `target`, as `preceptor check` reads them. Raises `InputError` when
    the store is of another task.
    """
    found = gold(path)
    if any(not is_of(task, row.item) for row in found.rows):
        what = f"the labels here are not of the task {task.name}"
        raise InputError(Problem(str(path), what, "Name the task that raters were asked."))
    out = io.StringIO(newline="")
    table = csv.writer(out)
    fields = list(task.fields)
    table.writerow([*_named(["id", "patient"], fields), *fields, *_named(["target"], fields)])
    for row in found.rows:
        case = dict(row.item.case)
        answer = f"{task.answer.marker} {row.answer}" if task.answer.parser == "final_answer" else row.answer
        texts = [case.get(name, "") for name in fields]
        table.writerow([row.item.example_id, row.item.group, *texts, answer])
    write_atomic(file, out.getvalue())
    return found


def _named(names: list[str], fields: list[str]) -> list[str]:
    """Our own columns, under another name where a field of the task has theirs."""
    return [f"{name}_" if name in fields else name for name in names]
