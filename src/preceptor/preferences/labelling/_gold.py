"""Gold labels from a store: agreed by two raters, or adjudicated by a third or the lead."""

import csv
import io
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from preceptor.errors import InputError, Problem
from preceptor.files import write_atomic
from preceptor.preferences.labelling import Item, Store
from preceptor.preferences.labelling._consensus import settle
from preceptor.preferences.labelling._items import is_of
from preceptor.tasks import Task

_MIN_RATERS = 2
"""Raters who must agree, in rounds with more than one vote per item."""


@dataclass(frozen=True, slots=True)
class GoldRow:
    """A case and its gold label. Its `repr` shows no text. `adjudicated`: raters had disagreed."""

    item: Item
    answer: str = field(repr=False)
    raters: int
    adjudicated: bool


@dataclass(frozen=True, slots=True)
class Gold:
    """A round's gold labels (`rows`), items that raters disagree on (`disputed`) and items that lack votes."""

    rows: list[GoldRow]
    disputed: list[Item]
    incomplete: list[Item]


def gold(path: Path) -> Gold:
    """The gold labels of the store at `path`. Raises `InputError` when it is not a store of gold labels.

    The gold label is the lead's, else the majority's if at least two raters agree.
    """
    with closing(Store.open(path)) as store:
        items, votes, votes_per_item = store.items(), store.votes(), int(store.metadata["votes_per_item"])
    if any(item.kind != "gold" for item in items):
        fix = "Name a store that `preceptor label --gold` made."
        raise InputError(Problem(str(path), "raters compared answers here, and gave no gold labels", fix))
    result = Gold([], [], [])
    consensus = {one.item.id: one for one in settle(items, votes)}
    for item in items:
        one = consensus.get(item.id)
        if one is None or (one.raters < min(_MIN_RATERS, votes_per_item) and not one.by_lead):
            result.incomplete.append(item)
        elif one.choice is None:
            result.disputed.append(item)
        else:
            given = {vote.choice for vote in votes if vote.item == item.id and not vote.repeat and vote.role == "rater"}
            result.rows.append(GoldRow(item, one.choice, one.raters, adjudicated=given != {one.choice}))
    return result


def write_gold(path: Path, task: Task, file: Path) -> Gold:
    """Write the gold labels of the store at `path` to the CSV `file`, private to its owner, and return them.

    Columns: `id`, `patient`, the task's fields, and `target`, as `preceptor check` reads them. Raises `InputError` when
    the store is of another task.
    """
    result = gold(path)
    if any(not is_of(task, row.item) for row in result.rows):
        what = f"the labels here are not of the task {task.name}"
        raise InputError(Problem(str(path), what, "Name the task that raters were asked."))
    out = io.StringIO(newline="")
    table = csv.writer(out)
    fields = list(task.fields)
    table.writerow([*_unique_columns(["id", "patient"], fields), *fields, *_unique_columns(["target"], fields)])
    for row in result.rows:
        case = dict(row.item.case)
        answer = f"{task.answer.marker} {row.answer}" if task.answer.parser == "final_answer" else row.answer
        texts = [case.get(name, "") for name in fields]
        table.writerow([row.item.example_id, row.item.group, *texts, answer])
    write_atomic(file, out.getvalue())
    return result


def _unique_columns(names: list[str], fields: list[str]) -> list[str]:
    """Our column names, renamed where they collide with fields of the task."""
    return [f"{name}_" if name in fields else name for name in names]
