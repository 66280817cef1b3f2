"""Right answers of several labels: from a cell, a list or a text with separators, to their canonical form."""

import ast
import json
from collections.abc import Mapping
from typing import Any

from preceptor.data._invalid_rows import RowProblem
from preceptor.data._problems import did_you_mean, listed, quoted_if_near
from preceptor.tasks import Task, composed, plain

_SEPARATORS = (";", "|", ",", "/")
"""What may stand between two labels in a file."""


def read_label_set(cell: Any, mapping: Mapping[str, str], task: Task, problems: list[RowProblem]) -> str:
    """The canonical form of the labels in a cell; "" where it has a problem, which joins `problems`.

    cell: a text with the task's separator, or a list of texts, as such, in JSON or as Python writes it. mapping: value
    in the file -> label, of a whole text and of its parts. Only an empty list, or the task's word for it, is the empty
    set: an empty cell may as well mean that nobody looked.
    """
    parts = _parts(cell, mapping, task)
    if parts is None:
        word = f"`{task.answer.empty}`" if task.answer.empty else "at least one label"
        problems.append(RowProblem("no_answer", "the answer is empty", f"Write {word}, or leave the row out"))
        return ""
    if not parts and task.answer.empty is None:
        what = "the answer has no label, and the task has no word for that"
        problems.append(RowProblem("no_label", what, "Set `answer.empty` in the task, or leave the row out"))
        return ""
    known = {plain(label): label for label in task.set_labels}
    unknown = [part for part in dict.fromkeys(parts) if plain(part) not in known]
    problems += [_not_a_label(part, task, alone=len(parts) == 1) for part in unknown]
    return "" if unknown else task.format_set(known[plain(part)] for part in parts)


def _parts(cell: Any, mapping: Mapping[str, str], task: Task) -> list[str] | None:
    """The labels that a cell names, after the mapping, [] for the empty set; None for a cell that says nothing."""
    text = composed(cell.strip()) if isinstance(cell, str) else ""
    whole = mapping.get(text, text)
    named = list_of(whole if isinstance(cell, str) else cell)
    if named is None:
        if task.label_set(whole) == frozenset():
            return []
        named = whole.split(task.answer.separator.strip() or task.answer.separator)
        if not any(part.strip() for part in named):
            return None
    given = [part for one in named if (part := composed(str(one).strip()))]
    return [mapping.get(part, part) for part in given]


def list_of(cell: Any) -> list[Any] | None:
    """The parts of a list, or of a text that is one in JSON or as Python writes it; None for any other text."""
    if not isinstance(cell, str):
        return cell if isinstance(cell, list) else [cell]
    if not cell.startswith("["):
        return None
    try:
        found = json.loads(cell)
    except ValueError:
        return _list_of_python(cell)
    except RecursionError:
        return None
    return found if isinstance(found, list) else None


def _list_of_python(text: str) -> list[Any] | None:
    """The parts of `['asthma', 'copd']`, which pandas writes into a CSV file; None for any other text.

    Only what Python itself would write, spaces aside: it would read NumPy's `['asthma' 'copd']` as one long label.
    """
    if not text.endswith("]") or "\\" in text:
        return None
    try:
        found = ast.literal_eval(text)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return None
    same = "".join(repr(found).split()) == "".join(text.split())
    return found if isinstance(found, list) and same else None


def _not_a_label(part: str, task: Task, *, alone: bool) -> RowProblem:
    """Why a part of an answer, all of it if `alone`, is no label."""
    empty = task.answer.empty
    if empty is not None and plain(part) == plain(empty):
        what = f"the word for no label, `{empty}`, stands beside labels"
        return RowProblem("none_beside_labels", what, "Write the labels, or this word alone")
    if mark := _other_separator(part, task):
        what = f"labels stand there with `{mark}` between them, and the task's separator is `{task.answer.separator}`"
        return RowProblem("other_separator", what, f'Set `answer.separator` to "{mark}" in the task')
    fix = f"Labels are {listed(task.set_labels)}; map others with `labels:` in the study"
    if empty is None and alone:
        fix += ", or if it means that there is none, name it as `answer.empty` in the task"
    detail = f"label {quoted_if_near(part, task.set_labels)} is not one of the task's"
    near = did_you_mean(part, task.set_labels)
    return RowProblem("unknown_label", "a label is not one of the task's", fix, detail, near)


def _other_separator(part: str, task: Task) -> str | None:
    """What stands between labels of the task in a part that is none; None where nothing does."""
    known = set(map(plain, task.set_labels))
    split = {mark: set(map(plain, part.split(mark))) for mark in _SEPARATORS if mark in part}
    return next((mark for mark, parts in split.items() if parts <= known), None)
