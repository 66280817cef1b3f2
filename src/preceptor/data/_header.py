"""Whether the first row of a table holds names of columns. Where it holds a case, no message may repeat it."""

import re
from collections.abc import Iterable, Sequence

from preceptor.data._problems import LONGEST_SHOWN, did_you_mean, listed
from preceptor.data._table import Table
from preceptor.errors import Problem

_DATE = re.compile(r"\d{4}[-/.]\d{1,2}[-/.]\d{1,2}.*|\d{1,2}[-/.]\d{1,2}[-/.](\d{4}|\d{2}).*")
_NUMBER = re.compile(r"(?!(19|20)\d\d$)[<>]?\s*[-+]?\d+([.,]\d+)?")
"""A year stands over numbers as a name."""
_ROWS = 200
"""So many rows tell what kind of thing a column holds."""

_FIX = "Put a row with a name for each column at the top"


def has_names(table: Table) -> bool:
    """Whether the names of a table's columns look like names, and not like its first case.

    They do not when one is a cell like those below it: a date over dates, `P-0001` over `P-0002`, or a value that comes
    again; nor when half of them are numbers, dates or whole sentences.
    """
    below = [(name, _filled(table, name)) for name in table.columns]
    odd = sum(_is_no_name(name) or _is_like(name, cells) for name, cells in below)
    return not any(_is_like(name, cells) for name, cells in below) and 2 * odd < max(2, len(below))


def say_columns(table: Table) -> str:
    """`Columns are a, b, c`; by letters, and what to do about it, where their names may be a case."""
    if has_names(table):
        return f"Columns are {listed(table.columns)}"
    return (
        f"The first row does not look like column names, so they are not shown. {_FIX}; columns are {_letters(table)}"
    )


def meant_column(name: str, table: Table) -> str:
    """`Did you mean X? ` for the column with the nearest name, where that may be shown."""
    return did_you_mean(name, table.columns) if has_names(table) else ""


def no_names(table: Table) -> Problem:
    """What is said of a table whose first row holds a case."""
    what = f"the first row does not look like column names (columns {_letters(table)})"
    return Problem(str(table.path), what, f"{_FIX}, or name these columns otherwise")


def _letter(place: int) -> str:
    """A column as a spreadsheet calls it: 0 -> `A`, 26 -> `AA`."""
    return (_letter(place // 26 - 1) if place >= 26 else "") + chr(ord("A") + place % 26)


def _letters(table: Table) -> str:
    last = len(table.columns) - 1
    return "A" if last == 0 else f"A to {_letter(last)}"


def _filled(table: Table, name: str) -> list[str]:
    own = dict(zip(table.columns, table.columns, strict=True))
    rows = [row for row in table.rows[:_ROWS] if row.cells != own]  # of tables put together, each has its header
    cells = (row.cells.get(name, "") for row in rows)
    return [cell.strip() for cell in cells if isinstance(cell, str) and cell.strip()]


def _is_no_name(name: str) -> bool:
    return len(name) > LONGEST_SHOWN or bool(_NUMBER.fullmatch(name) or _DATE.fullmatch(name))


def _is_like(name: str, cells: Sequence[str]) -> bool:
    """Whether a column's name is of the same kind as its cells."""
    if not cells:
        return False
    if _DATE.fullmatch(name):
        return _most(bool(_DATE.fullmatch(cell)) for cell in cells)
    if _NUMBER.fullmatch(name):
        return False  # some number their columns
    coded = any(sign.isdigit() for sign in name)
    return cells.count(name) > 1 or (coded and _most(_shape(cell) == _shape(name) for cell in cells))


def _most(found: Iterable[bool]) -> bool:
    every = list(found)
    return 2 * sum(every) >= len(every)


def _shape(text: str) -> str:
    """`P-0012` -> `A-0000`."""
    return re.sub(r"[A-Z]", "A", re.sub(r"[a-z]", "a", re.sub(r"\d", "0", text)))
