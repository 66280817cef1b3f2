"""CSV and XLSX: columns `id`, `group`, `prompt`, `completion`, `chosen`, `rejected`, and the file's others.

A prompt of one user turn stands there as its text, any other as the JSON of its turns. No cell is ever a formula: in
XLSX each is typed as text, in CSV an apostrophe is put before what a spreadsheet would compute and taken off when read.
"""

import csv
import io
import json
import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

from preceptor.errors import InputError, Problem
from preceptor.preferences.interchange import trl
from preceptor.preferences.interchange._case import Case, Turns, turn, turns_in
from preceptor.preferences.interchange._row import Row

_COLUMNS = ("id", "group", "prompt", "completion", "chosen", "rejected")
_MOST_CHARACTERS = 32_767
"""In an XLSX cell; https://support.microsoft.com, Excel specifications and limits."""

# What a spreadsheet takes for the beginning of a formula (OWASP, CSV injection), and what writing made of it before.
_FORMULA = re.compile("'*[=+\\-@\t\r\n＝＋－＠]")  # noqa: RUF001 (full-width signs count as formulas in some languages)
_NOT_IN_A_NAME = re.compile("[;\t|\r\n\0]")
"""A reader that finds out the delimiter could take these for it."""
# XLSX writes what XML cannot hold as _xHHHH_ (ECMA-376 part 1, 22.9.2.19), and so the sign that begins one.
_NEEDS_CODE = re.compile("[\x00-\x08\x0b-\x1f\ufffe\uffff]|_(?=x[0-9A-Fa-f]{4}_)")


def rows(case: Case) -> list[Row]:
    """The row of one line: TRL's columns, as cells of text."""
    return trl.rows(case)


def without_apostrophe(cells: dict[str, str]) -> dict[str, str]:
    """The cells of a CSV row as they were before `csv_file` wrote them."""
    return {_bare(name): _bare(text) for name, text in cells.items()}


def csv_file(rows: Sequence[Row], lost: Counter[str]) -> str:
    """A comma-separated file; the byte-order mark tells Excel that it is UTF-8. InputError for what CSV cannot hold."""
    header, *lines = _cells(rows, lost)
    _stop_if_any(rows, header, lines, lambda text: "a character NUL, which no CSV file can hold" * ("\0" in text))
    out = io.StringIO(newline="")
    csv.writer(out, quoting=csv.QUOTE_ALL).writerows([guarded(text) for text in line] for line in (header, *lines))
    return "\ufeff" + out.getvalue()


def xlsx_file(rows: Sequence[Row], lost: Counter[str]) -> bytes:
    """A workbook of one sheet. InputError for a text that is too long for a cell."""
    from openpyxl import Workbook
    from openpyxl.cell import WriteOnlyCell

    header, *lines = [[_NEEDS_CODE.sub(_code, text) for text in line] for line in _cells(rows, lost)]
    too_long = f"more than the {_MOST_CHARACTERS:,} characters that an Excel cell can hold"
    _stop_if_any(rows, header, lines, lambda text: too_long * (len(text) > _MOST_CHARACTERS))
    book = Workbook(write_only=True)
    sheet = book.create_sheet("rows")
    for line in (header, *lines):
        cells = [WriteOnlyCell(sheet, text or None) for text in line]
        for cell, text in zip(cells, line, strict=True):
            if text:
                cell.data_type = "s"  # a text, whatever it begins with
                cell.quotePrefix = True  # and still one after somebody edits it
        sheet.append(cells)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def _cells(rows: Sequence[Row], lost: Counter[str]) -> list[list[str]]:
    """The header, then a line a row. Columns of the format's own that are empty all the way down are left out."""
    records = [_record(row, lost) for row in rows]
    names = [name for name in _COLUMNS if any(record.get(name) for record in records)]
    names += [name for name in dict.fromkeys(name for record in records for name in record) if name not in _COLUMNS]
    return [names, *([record.get(name, "") for name in names] for record in records)]


def _record(row: Row, lost: Counter[str]) -> dict[str, str]:
    answers = {"completion": row.target, "chosen": row.chosen, "rejected": row.rejected}
    record = {"id": row.id, "group": row.group, "prompt": _as_cell(row.messages, "user")}
    record |= {name: _as_cell((turn("assistant", text),), "assistant") for name, text in answers.items() if text}
    for name, value in row.extra.items():
        if name in trl.COLUMNS or not name or name != name.strip() or _NOT_IN_A_NAME.search(name):
            lost[f"column {name!r}"] += 1
        elif isinstance(value, str):
            record[name] = value
        else:
            lost[f"column `{name}`: numbers, lists and objects become text"] += 1
            record[name] = json.dumps(value, ensure_ascii=False)
    return record


def _as_cell(turns: Turns, role: str) -> str:
    """One turn of `role` as its text, unless that would be read back as the JSON of turns."""
    if len(turns) == 1 and turns[0]["role"] == role and turns_in(turns[0]["content"]) is None:
        return turns[0]["content"]
    return json.dumps(list(turns), ensure_ascii=False)


def guarded(text: str) -> str:
    """A cell of CSV that no spreadsheet computes."""
    return f"'{text}" if _FORMULA.match(text) else text


def _bare(text: Any) -> Any:
    return text[1:] if isinstance(text, str) and text.startswith("'") and _FORMULA.match(text) else text


def _code(match: re.Match[str]) -> str:
    return f"_x{ord(match.group()):04X}_"


def _stop_if_any(rows: Sequence[Row], header: list[str], lines: list[list[str]], what_of: Any) -> None:
    problems = [
        Problem(f"row {number} (id {row.id}), {name}", f"there is {what}", "Write a JSON lines file (.jsonl) instead")
        for number, (row, line) in enumerate(zip(rows, lines, strict=True), 1)
        for name, text in zip(header, line, strict=True)
        if (what := what_of(text))
    ]
    if problems:
        raise InputError(problems)
