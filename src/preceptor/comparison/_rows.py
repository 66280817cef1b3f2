"""What the rows of one file of predictions must hold: an id that stands once, and an answer or a score."""

from collections.abc import Iterator, Mapping
from math import isfinite
from typing import Any

from preceptor.data import Row, Table, describe_columns, meant_column, quoted
from preceptor.errors import Problem, shortened
from preceptor.evidence import Metric
from preceptor.tasks import composed

ID = "id"
LABEL_SCORES = "scores"
"""A number for each label, as an object of JSON."""

_ROUNDED = 0.02
"""By how much probabilities that were written with two decimals may miss 1 together."""
_MOST_SHOWN = 5
"""Rows of one file with the same problem that are shown at most."""


def text_of(row: Row, column: str) -> str:
    """A cell in Unicode NFC, without white space around it; "" of a list or an object, and where there is none."""
    cell = row.cells.get(column, "")
    return composed(cell.strip()) if isinstance(cell, str) else ""


def scores_of(row: Row) -> dict[str, Any]:
    """Label -> its score, labels as `text_of` reads them; empty where the row has none."""
    return {composed(label): score for label, score in (row.cells.get(LABEL_SCORES) or {}).items()}


def number_of(cell: Any) -> float | None:
    """A finite number; true and false are 1 and 0."""
    try:
        number = float({"true": "1", "false": "0"}.get(str(cell).strip().lower(), cell))
    except (TypeError, ValueError):
        return None
    return number if isfinite(number) else None


def by_id(table: Table) -> dict[str, Row]:
    """Case id -> its row, the first where an id stands twice; rows without an id are left out."""
    rows: dict[str, Row] = {}
    for row in table.rows:
        if case := text_of(row, ID):
            rows.setdefault(case, row)
    return rows


def column_problems(table: Table, column: str, needed_by: str) -> Iterator[Problem]:
    """A column that is not there; `needed_by` says what for."""
    if column not in table.columns:
        fix = f"{meant_column(column, table)}{describe_columns(table)}"
        yield Problem(str(table.path), f"there is no column {quoted(column)} ({needed_by})", fix)


def text_problems(table: Table, column: str) -> list[Problem]:
    """Cells that hold a list or an object, which is no answer."""
    what = f"column {quoted(column)} holds a list or an object, a text was expected"
    fix = "Write one text; of several labels with the same sign between them, and say it with `separator`"
    rows = [row for row in table.rows if not isinstance(row.cells.get(column, ""), str)]
    return few([Problem(table.where(row), what, fix) for row in rows], table)


def id_problems(table: Table) -> Iterator[Problem]:
    """Rows without an id, and ids that stand twice."""
    if problem := next(column_problems(table, ID, "the name of a case"), None):
        yield problem
        return
    first: dict[str, Row] = {}
    missing, twice = [], []
    for row in table.rows:
        case = text_of(row, ID)
        if not case:
            missing.append(Problem(table.where(row), "column `id` is empty", "Give every case the id it has elsewhere"))
        elif (earlier := first.setdefault(case, row)) is not row:
            what = f"id {quoted(case)} stands already in {table.unit} {earlier.number}"
            twice.append(Problem(table.where(row), what, "Keep one answer a case, or give each seed a file of its own"))
    yield from few(missing, table)
    yield from few(twice, table)


def score_problems(table: Table, column: str) -> Iterator[Problem]:
    """Scores that are missing or no finite number."""
    if problem := next(column_problems(table, column, "the score of a case; `score` names another"), None):
        yield problem
        return
    empty, wrong = [], []
    for row in table.rows:
        cell = row.cells.get(column, "")
        if cell == "":
            what, fix = f"column {quoted(column)} is empty or NaN", "Give every case a score"
            empty.append(Problem(table.where(row), what, fix))
        elif number_of(cell) is None:
            what = f"column {quoted(column)} holds no finite number"
            wrong.append(Problem(table.where(row), what, "Write a number, such as 0.75"))
    yield from few(empty, table)
    yield from few(wrong, table)


def label_score_problems(table: Table, metric: Metric, *, of_sets: bool) -> Iterator[Problem]:
    """Scores of labels that only some rows have, that are no object of numbers, or no probabilities where the metric
    rates these; of sets they need not add up to 1.
    """
    if LABEL_SCORES not in table.columns:
        return
    fix = 'Write {"label": number, ...} in every row, or leave the column out'
    wrong = [
        Problem(table.where(row), f"column `{LABEL_SCORES}` holds no number for each label", fix)
        for row in table.rows
        if not _are_numbers(row.cells.get(LABEL_SCORES))
    ]
    yield from few(wrong, table)
    if metric.probabilities and not wrong:
        what = f"column `{LABEL_SCORES}` holds no probabilities, which the {metric.title} rates"
        fix = f"Write numbers from 0 to 1{'' if of_sets else ' that add up to 1'}, or leave the column out"
        rows = [row for row in table.rows if not _are_probabilities(row.cells[LABEL_SCORES], of_sets)]
        yield from few([Problem(table.where(row), what, fix) for row in rows], table)


def few(problems: list[Problem], table: Table) -> list[Problem]:
    """The first of many problems of one kind in one file, and how many more there are."""
    fix = problems[0].fix if problems else ""
    return shortened(problems, _MOST_SHOWN, str(table.path), f"{table.unit}s like these", fix)


def _are_numbers(cell: Any) -> bool:
    if not isinstance(cell, dict) or len(set(map(composed, cell))) < len(cell):
        return False
    return bool(cell) and all(number_of(one) is not None for one in cell.values())


def _are_probabilities(cell: Mapping[str, Any], of_sets: bool) -> bool:
    shares = [number_of(one) or 0.0 for one in cell.values()]
    return all(0 <= one <= 1 for one in shares) and (of_sets or abs(sum(shares) - 1) <= _ROUNDED)
