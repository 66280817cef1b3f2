"""Header detection: a first row that may be a case must not be quoted in messages."""

import re
from collections.abc import Iterable, Sequence

from preceptor.data._problems import MAX_QUOTED, did_you_mean, listed
from preceptor.data._table import Table
from preceptor.errors import Problem

_DATE = re.compile(r"\d{4}[-/.]\d{1,2}[-/.]\d{1,2}.*|\d{1,2}[-/.]\d{1,2}[-/.](\d{4}|\d{2}).*")
_NUMBER = re.compile(r"(?!(19|20)\d\d$)[<>]?\s*[-+]?\d+([.,]\d+)?")
"""Matches numbers, but not years, which are plausible column names."""
_SAMPLE = 200
"""Rows inspected per column."""

_FIX = "Put a row with a name for each column at the top"


def has_header(table: Table) -> bool:
    """Whether the first row looks like column names and not like a case.

    It looks like a case when a name resembles the cells below it (a date above dates, `P-0001` above `P-0002`, a
    repeated value), or when half of the names are numbers, dates or sentences.
    """
    columns = [(name, _filled(table, name)) for name in table.columns]
    unlike_names = sum(_is_value(name) or _resembles(name, cells) for name, cells in columns)
    return not any(_resembles(name, cells) for name, cells in columns) and 2 * unlike_names < max(2, len(columns))


def describe_columns(table: Table) -> str:
    """`Columns are a, b, c`; without a header, columns by letter and how to fix it."""
    if has_header(table):
        return f"Columns are {listed(table.columns)}"
    return (
        f"The first row does not look like column names, so they are not shown. {_FIX}; columns are {_letters(table)}"
    )


def meant_column(name: str, table: Table) -> str:
    """`Did you mean X? ` for the nearest column name; "" without a header."""
    return did_you_mean(name, table.columns) if has_header(table) else ""


def missing_header(table: Table) -> Problem:
    """The problem to report for a table without a header."""
    what = f"the first row does not look like column names (columns {_letters(table)})"
    return Problem(str(table.path), what, f"{_FIX}, or name these columns otherwise")


def _letter(index: int) -> str:
    """A column's letter in a spreadsheet: 0 -> `A`, 26 -> `AA`."""
    return (_letter(index // 26 - 1) if index >= 26 else "") + chr(ord("A") + index % 26)


def _letters(table: Table) -> str:
    last = len(table.columns) - 1
    return "A" if last == 0 else f"A to {_letter(last)}"


def _filled(table: Table, name: str) -> list[str]:
    header = dict(zip(table.columns, table.columns, strict=True))
    rows = [row for row in table.rows[:_SAMPLE] if row.cells != header]  # skip headers of concatenated tables
    cells = (row.cells.get(name, "") for row in rows)
    return [cell.strip() for cell in cells if isinstance(cell, str) and cell.strip()]


def _is_value(name: str) -> bool:
    return len(name) > MAX_QUOTED or bool(_NUMBER.fullmatch(name) or _DATE.fullmatch(name))


def _resembles(name: str, cells: Sequence[str]) -> bool:
    """Whether a column's name looks like its cells."""
    if not cells:
        return False
    if _DATE.fullmatch(name):
        return _majority(bool(_DATE.fullmatch(cell)) for cell in cells)
    if _NUMBER.fullmatch(name):
        return False  # numbered columns
    coded = any(char.isdigit() for char in name)
    return cells.count(name) > 1 or (coded and _majority(_shape(cell) == _shape(name) for cell in cells))


def _majority(found: Iterable[bool]) -> bool:
    flags = list(found)
    return 2 * sum(flags) >= len(flags)


def _shape(text: str) -> str:
    """`P-0012` -> `A-0000`."""
    return re.sub(r"[A-Z]", "A", re.sub(r"[a-z]", "a", re.sub(r"\d", "0", text)))
