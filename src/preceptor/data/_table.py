"""`read_table`: from any supported file to columns and numbered rows of text."""

import datetime
import warnings
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

from preceptor.data._problems import did_you_mean, listed, raise_if_any
from preceptor.data._text_files import Row, Rows, read_csv, read_json, read_jsonl, unique_columns
from preceptor.data.readers import find_reader, known_readers
from preceptor.errors import InputError, Problem
from preceptor.files import why_no_path

_FORMAT_OF_ENDING = {
    ".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "json", ".csv": "csv", ".tsv": "csv", ".psv": "csv",
    ".txt": "csv", ".xlsx": "xlsx", ".xlsm": "xlsx", ".parquet": "parquet",
}  # fmt: skip
_FORMATS = sorted(set(_FORMAT_OF_ENDING.values()))


@dataclass(frozen=True, slots=True)
class Table:
    """A file as read. A cell is text (empty: ""), or a list or object where JSON or Parquet hold one."""

    path: Path
    columns: list[str]
    rows: list[Row] = field(repr=False)
    encoding: str
    unit: str = "row"
    """What row numbers count: rows of the file, or cases of a public set's reader."""

    def where(self, row: Row) -> str:
        """How messages name a row."""
        return f"{self.path}, {self.unit} {row.number}"

    def column(self, name: str) -> list[str]:
        """One column's texts, top to bottom; lists and objects count as empty."""
        return [cell if isinstance(cell := row.cells.get(name, ""), str) else "" for row in self.rows]

    def distinct(self, name: str) -> list[str]:
        """One column's non-empty texts, each once, in order of first appearance."""
        return list(dict.fromkeys(text for text in self.column(name) if text.strip()))


def read_table(path: Path, reader: str | None = None, encoding: str | None = None) -> Table:
    """Read a table. `reader` is a format or a known public set (default: by the file's ending).

    Cells stay text: no conversion to numbers or missing values. Raises InputError with every problem of the file:
    missing, empty, not readable in its format, rows of the wrong width.
    """
    _check_file(path)
    kind = reader or _format_of(path)
    try:
        rows, used = _read(path, kind, encoding)
    except InputError as error:
        raise_if_any(error.problems)
        raise
    except OSError as error:
        raise InputError(Problem(str(path), f"cannot be read: {error.strerror or error}", "Check its rights")) from None
    return table_of(path, rows, used, unit="row" if kind in _FORMATS else "case")


def table_of(path: Path, rows: Iterable[Row], encoding: str = "utf-8", *, unit: str) -> Table:
    """A table of rows that were read otherwise, their cells as in `read_table`. `path` is how messages name it.

    Raises InputError when there are no rows.
    """
    rows = [Row(row.number, {str(name): _as_text(cell) for name, cell in row.cells.items()}) for row in rows]
    if not rows:
        raise InputError(Problem(str(path), "no rows below the header", "Give at least one case"))
    return Table(path, list(dict.fromkeys(name for row in rows for name in row.cells)), rows, encoding, unit)


def reader_names() -> list[str]:
    """What `reader:` may name: the formats, then the public sets."""
    return [*_FORMATS, *known_readers()]


def _check_file(path: Path) -> None:
    if why := why_no_path(str(path)):
        raise InputError(Problem(str(path), why, "Name another file"))
    if path.is_dir():
        found = sorted(one.name for one in path.iterdir() if one.suffix.lower() in _FORMAT_OF_ENDING)
        inside = f" ({listed(found)})" if found else ""
        raise InputError(Problem(str(path), "this is a folder", f"Name one file in it{inside}"))
    if not path.exists():
        siblings = [one.name for one in path.parent.iterdir()] if path.parent.is_dir() else []
        fix = f"{did_you_mean(path.name, siblings)}Check the path; in a study file it is relative to that file's folder"
        raise InputError(Problem(str(path), "no such file", fix))
    if path.stat().st_size == 0:
        raise InputError(Problem(str(path), "the file is empty", "Give at least one case"))


def _format_of(path: Path) -> str:
    ending = path.suffix.lower()
    if ending in _FORMAT_OF_ENDING:
        return _FORMAT_OF_ENDING[ending]
    fix = f"Save it as one of {', '.join(_FORMAT_OF_ENDING)}, or say `reader:` ({', '.join(_FORMATS)})"
    raise InputError(Problem(str(path), f"a file ending in `{ending}` cannot be read", fix))


def _read(path: Path, kind: str, encoding: str | None) -> Rows:
    if kind == "csv":
        return read_csv(path, encoding)
    readers = {"jsonl": read_jsonl, "json": read_json, "xlsx": _read_xlsx, "parquet": _read_parquet}
    return readers[kind](path) if kind in readers else _read_known_set(path, kind)


def _read_known_set(path: Path, name: str) -> Rows:
    try:
        read = find_reader(name)
    except KeyError:
        fix = f"{did_you_mean(name, reader_names())}Known: {', '.join(reader_names())}"
        raise InputError(Problem(str(path), f"no reader is called `{name}`", fix)) from None
    try:
        return [Row(number, cells) for number, cells in enumerate(read(path), 1)], f"reader {name}"
    except (KeyError, IndexError, ValueError) as error:
        fix = "Give the file of that set as it was published, or drop `reader:`"
        raise InputError(Problem(str(path), f"this is not the file that reader `{name}` knows", fix)) from error


def _read_xlsx(path: Path) -> Rows:
    """The first non-empty sheet; formulas as their last computed value."""
    from openpyxl import load_workbook
    from openpyxl.utils.exceptions import InvalidFileException

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # openpyxl on unsupported extensions
            book = load_workbook(path, read_only=True, data_only=True)
            sheets = [_records(sheet) for sheet in book.worksheets]
            book.close()
    except (BadZipFile, InvalidFileException, KeyError, ValueError):
        fix = "Save it in Excel as .xlsx without a password"
        raise InputError(Problem(str(path), "this is not an Excel workbook (.xlsx)", fix)) from None
    for records in sheets:
        filled = [(number, cells) for number, cells in enumerate(records, 1) if any(cell is not None for cell in cells)]
        if filled:
            return _sheet_rows(filled, path), "xlsx"
    raise InputError(
        Problem(str(path), "no sheet of this workbook holds data", "Put a header and the cases in a sheet")
    )


def _records(sheet: Any) -> list[tuple[Any, ...]]:
    """Every row of a sheet, padded to the longest; the declared dimensions may be wrong or missing.

    Unescapes _xHHHH_, which encodes characters that XML cannot hold (ECMA-376 part 1, 22.9.2.19).
    """
    from openpyxl.utils.escape import unescape

    sheet.reset_dimensions()
    found = sheet.iter_rows(values_only=True)
    rows = [tuple(unescape(cell) if isinstance(cell, str) else cell for cell in cells) for cells in found]
    width = max(map(len, rows), default=0)
    return [cells + (None,) * (width - len(cells)) for cells in rows]


def _sheet_rows(filled: list[tuple[int, tuple[Any, ...]]], path: Path) -> list[Row]:
    (_, first), *records = filled
    used = [index for index in range(len(first)) if any(cells[index] is not None for _, cells in filled)]
    header = unique_columns(["" if first[index] is None else str(first[index]) for index in used], path)
    return [
        Row(number, {name: cells[index] for name, index in zip(header, used, strict=True)}) for number, cells in records
    ]


def _read_parquet(path: Path) -> Rows:
    import pyarrow
    import pyarrow.parquet

    try:
        table = pyarrow.parquet.ParquetFile(path).read()
    except (pyarrow.ArrowInvalid, pyarrow.ArrowNotImplementedError):
        raise InputError(Problem(str(path), "this is not a Parquet file", "Write it again as Parquet")) from None
    for index, column in enumerate(table.columns):
        if pyarrow.types.is_floating(column.type):  # Arrow writes the shortest round-trip text, also for float32
            texts = column.cast(pyarrow.string())
            missing = pyarrow.compute.is_nan(column)
            table = table.set_column(index, table.column_names[index], pyarrow.compute.if_else(missing, None, texts))
    return [Row(number, cells) for number, cells in enumerate(table.to_pylist(), 1)], "parquet"


def _as_text(cell: Any) -> Any:
    """A cell as text; lists and objects stay, for chat messages."""
    if cell is None or cell != cell:  # NaN != NaN
        return ""
    if isinstance(cell, str | list | dict):
        return cell
    if isinstance(cell, bool):
        return str(cell).lower()
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))  # an integer column with missing values is stored as float
    if isinstance(cell, datetime.datetime) and cell.time() == datetime.time() and cell.tzinfo is None:
        return cell.date().isoformat()
    return cell.isoformat() if isinstance(cell, datetime.date | datetime.time) else str(cell)
