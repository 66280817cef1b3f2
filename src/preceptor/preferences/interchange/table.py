"""CSV and XLSX: columns `id`, `group`, `prompt`, `completion`, `chosen`, `rejected`, and the file's others.

A prompt of one user message is stored as its text, any other as JSON messages. Formula injection is prevented: XLSX
cells are typed as text, and CSV cells that look like formulas get an apostrophe, which reading removes.
"""

import csv
import io
import json
import re
from collections.abc import Sequence
from typing import Any

from preceptor.errors import InputError, Problem
from preceptor.preferences.interchange import trl
from preceptor.preferences.interchange._record import Messages, message, parse_messages
from preceptor.preferences.interchange._row import Lost, Row

_COLUMNS = ("id", "group", "prompt", "completion", "chosen", "rejected")
_MAX_CELL = 32_767
"""Characters in an XLSX cell; https://support.microsoft.com, Excel specifications and limits."""

# The start of a formula (OWASP, CSV injection), also with the apostrophe that writing puts before it.
_FORMULA = re.compile("'*[=+\\-@\t\r\n＝＋－＠]")  # noqa: RUF001 (full-width signs count as formulas in some languages)
_DELIMITERS = re.compile("[;\t|\r\n\0]")
"""Characters that delimiter detection could mistake."""
# XLSX escapes what XML cannot hold as _xHHHH_ (ECMA-376 part 1, 22.9.2.19), and so the underscore of such a sequence.
_NEEDS_ESCAPE = re.compile("[\x00-\x08\x0b-\x1f\ufffe\uffff]|_(?=x[0-9A-Fa-f]{4}_)")


def unguard(cells: dict[str, str]) -> dict[str, str]:
    """The cells of a CSV row without the apostrophes that `csv_file` added."""
    return {_unguarded(name): _unguarded(text) for name, text in cells.items()}


def csv_file(rows: Sequence[Row], lost: Lost) -> str:
    """A CSV file with a byte-order mark, for Excel. InputError for what CSV cannot hold."""
    header, *lines = _cells(rows, lost)
    _raise_if_any(rows, header, lines, lambda text: "a character NUL, which no CSV file can hold" * ("\0" in text))
    out = io.StringIO(newline="")
    csv.writer(out, quoting=csv.QUOTE_ALL).writerows([guarded(text) for text in line] for line in (header, *lines))
    return "\ufeff" + out.getvalue()


def xlsx_file(rows: Sequence[Row], lost: Lost) -> bytes:
    """A workbook of one sheet. InputError for a text that is too long for a cell."""
    from openpyxl import Workbook
    from openpyxl.cell import WriteOnlyCell

    header, *lines = [[_NEEDS_ESCAPE.sub(_escape, text) for text in line] for line in _cells(rows, lost)]
    too_long = f"more than the {_MAX_CELL:,} characters that an Excel cell can hold"
    _raise_if_any(rows, header, lines, lambda text: too_long * (len(text) > _MAX_CELL))
    book = Workbook(write_only=True)
    sheet = book.create_sheet("rows")
    for line in (header, *lines):
        cells = [WriteOnlyCell(sheet, text or None) for text in line]
        for cell, text in zip(cells, line, strict=True):
            if text:
                cell.data_type = "s"  # typed as text
                cell.quotePrefix = True  # also after edits in Excel
        sheet.append(cells)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def _cells(rows: Sequence[Row], lost: Lost) -> list[list[str]]:
    """The header, then one line per row, without empty standard columns."""
    every_row = [_row_cells(row, lost) for row in rows]
    names = [name for name in _COLUMNS if any(cells.get(name) for cells in every_row)]
    names += [name for name in dict.fromkeys(name for cells in every_row for name in cells) if name not in _COLUMNS]
    return [names, *([cells.get(name, "") for name in names] for cells in every_row)]


def _row_cells(row: Row, lost: Lost) -> dict[str, str]:
    answers = {"completion": row.target, "chosen": row.chosen, "rejected": row.rejected}
    cells = {"id": row.id, "group": row.group, "prompt": _as_cell(row.messages, "user")}
    given = {name: (message("assistant", text),) for name, text in answers.items() if text}
    cells |= {name: _as_cell(messages, "assistant") for name, messages in given.items()}
    for name, value in row.extra.items():
        if name in trl.COLUMNS or not name or name != name.strip() or _DELIMITERS.search(name):
            lost[f"column {name!r}"] += 1
        elif isinstance(value, str):
            cells[name] = value
        else:
            lost[f"column `{name}`: numbers, lists and objects become text"] += 1
            cells[name] = json.dumps(value, ensure_ascii=False)
    return cells


def _as_cell(messages: Messages, role: str) -> str:
    """One message of `role` as its text, unless that would parse as JSON messages."""
    if len(messages) == 1 and messages[0]["role"] == role and parse_messages(messages[0]["content"]) is None:
        return messages[0]["content"]
    return json.dumps(list(messages), ensure_ascii=False)


def guarded(text: str) -> str:
    """A CSV cell that spreadsheets do not evaluate."""
    return f"'{text}" if _FORMULA.match(text) else text


def _unguarded(text: Any) -> Any:
    return text[1:] if isinstance(text, str) and text.startswith("'") and _FORMULA.match(text) else text


def _escape(match: re.Match[str]) -> str:
    return f"_x{ord(match.group()):04X}_"


def _raise_if_any(rows: Sequence[Row], header: list[str], lines: list[list[str]], what_of: Any) -> None:
    problems = [
        Problem(f"row {number} (id {row.id}), {name}", f"there is {what}", "Write a JSON lines file (.jsonl) instead")
        for number, (row, line) in enumerate(zip(rows, lines, strict=True), 1)
        for name, text in zip(header, line, strict=True)
        if (what := what_of(text))
    ]
    if problems:
        raise InputError(problems)
