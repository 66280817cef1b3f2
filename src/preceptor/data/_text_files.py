"""CSV, JSON and JSON lines: from bytes to numbered rows, values unchanged."""

import csv
import io
import json
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from charset_normalizer import from_bytes

from preceptor.data._problems import MAX_QUOTED, listed
from preceptor.errors import InputError, Problem

_DELIMITERS = ",;\t|"
# What spreadsheets in Western Europe and the Americas write besides UTF-8. Detection among all encodings is
# unreliable on short files; others need `encoding:` in the study.
_LIKELY_ENCODINGS = ["cp1252", "latin_1", "utf_16_le", "utf_16_be"]


@dataclass(frozen=True, slots=True)
class Row:
    """One row and its number in the file: as a spreadsheet counts (the header is row 1), or lines of JSON lines."""

    number: int
    cells: dict[str, Any] = field(repr=False)


Rows = tuple[list[Row], str]
"""The rows and the encoding they were read in."""


def decode(data: bytes, path: Path) -> tuple[str, str]:
    """Text and its encoding: by byte-order mark, else UTF-8, else detected."""
    for bom, name in ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16")):
        if data.startswith(bom):
            return _decode_as(data, name, path), name
    try:
        if b"\0" not in data:
            return data.decode(), "utf-8"
    except UnicodeDecodeError:
        pass
    best = from_bytes(data, cp_isolation=_LIKELY_ENCODINGS).best()
    if best is None or "\0" in str(best):
        fix = "Save it as UTF-8 text, or name its format with `reader:` or its encoding with `encoding:`"
        raise InputError(Problem(str(path), "this is not text in an encoding that could be found out", fix))
    return str(best), best.encoding


def _decode_as(data: bytes, encoding: str, path: Path) -> str:
    try:
        return data.decode(encoding)
    except (UnicodeDecodeError, LookupError) as error:
        what = "no such encoding" if isinstance(error, LookupError) else f"byte {error.start} is not {encoding}"
        raise InputError(Problem(str(path), what, "Save it as UTF-8, or correct `encoding:`")) from None


def read_csv(path: Path, encoding: str | None = None) -> Rows:
    """CSV with its delimiter detected among comma, semicolon, tab and bar; quoted cells may have several lines."""
    csv.field_size_limit(sys.maxsize)
    data = path.read_bytes()
    text, used = (_decode_as(data, encoding, path), encoding) if encoding else decode(data, path)
    problems: list[Problem] = []
    records = _records(text, sniff_delimiter(text), path, problems)
    _, first = next(records, (0, []))
    header = unique_columns(first, path)
    rows = []
    for number, cells in records:
        if len(cells) == len(header):
            rows.append(Row(number, dict(zip(header, cells, strict=True))))
        else:
            what = f"{len(cells)} cells, but the header has {len(header)}"
            fix = "Put quotes around texts that hold a delimiter, a quote or a line break"
            problems.append(Problem(f"{path}, row {number}", what, fix))
    if problems:
        raise InputError(problems)
    return rows, used


def _records(text: str, delimiter: str, path: Path, problems: list[Problem]) -> Iterator[tuple[int, list[str]]]:
    """The non-empty records with their row numbers; reading stops at the first quoting error."""
    number = 0
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        for number, cells in enumerate(reader, 1):
            if cells:
                yield number, cells
    except csv.Error:
        what = f"the quotes of this row do not pair up (reading stopped at line {reader.line_num})"
        fix = 'Put the whole text in quotes and double every quote inside it: "he said ""no"""'
        problems.append(Problem(f"{path}, row {number + 1}", what, fix))


def sniff_delimiter(text: str) -> str:
    """The delimiter that splits the first 50 records most evenly into more than one cell; default: a comma."""

    def evenness(delimiter: str) -> tuple[float, int]:
        records = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
        widths = [len(record) for record in islice(records, 50) if record]
        if not widths or widths[0] < 2:
            return 0.0, 0
        return widths.count(widths[0]) / len(widths), widths[0]

    return max(_DELIMITERS, key=evenness)


def unique_columns(header: list[str], path: Path) -> list[str]:
    """Stripped column names; nameless columns are numbered, duplicate names raise InputError."""
    names = [name.strip() or f"column {index}" for index, name in enumerate(header, 1)]
    duplicates = sorted({name for name in names if names.count(name) > 1})
    if duplicates:
        what = f"column names stand twice: {listed(duplicates)}"
        if any(len(name) > MAX_QUOTED or any(map(str.isdigit, name)) for name in names):  # the names may be a case
            what = f"{len(duplicates)} column names stand twice, or the first row holds no column names"
        raise InputError(Problem(f"{path}, row 1", what, "Give every column a name of its own"))
    return names


def read_jsonl(path: Path) -> Rows:
    """One object per line, UTF-8; every invalid line is reported."""
    # Split at line feeds only: JSON strings may hold other characters that Python treats as line ends.
    lines = enumerate(path.read_bytes().removeprefix(b"\xef\xbb\xbf").split(b"\n"), 1)
    return _json_rows(
        path, ((number, line) for number, line in lines if line.strip()), lambda line: _parse(line.decode())
    )


def read_json(path: Path) -> Rows:
    """A list of objects, UTF-8; rows are numbered from 1."""
    try:
        value = _parse(path.read_bytes().removeprefix(b"\xef\xbb\xbf").decode())
    except ValueError as error:
        raise InputError(_json_problem(error, str(path))) from None
    if not isinstance(value, list):
        fix = "Write a list of objects, [{...}, {...}], one object a case; one object a line is called .jsonl"
        raise InputError(Problem(str(path), f"a list of objects was expected, found {_kind(value)}", fix))
    return _json_rows(path, enumerate(value, 1), lambda item: item)


def _json_rows(path: Path, numbered: Iterable[tuple[int, Any]], parse: Callable[[Any], Any]) -> Rows:
    rows, problems = [], []
    for number, item in numbered:
        try:
            rows.append(Row(number, _json_object(parse(item))))
        except ValueError as error:
            problems.append(_json_problem(error, f"{path}, row {number}"))
    if problems:
        raise InputError(problems)
    return rows, "utf-8"


def _parse(text: str) -> Any:
    """JSON with numbers kept as text; null and NaN are missing."""
    try:
        value = json.loads(text, parse_int=str, parse_float=str, parse_constant=lambda _: None)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if "\\ud" in text.lower():
        json.dumps(value, ensure_ascii=False).encode()  # raises on a lone surrogate
    return value


def _json_object(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"an object was expected, found {_kind(value)}")
    return value


def _kind(value: Any) -> str:
    return {dict: "an object", list: "a list", str: "a text or number", bool: "true or false"}.get(type(value), "null")


def _json_problem(error: ValueError, where: str) -> Problem:
    if isinstance(error, UnicodeDecodeError):
        what = f"not UTF-8 (byte {error.start})"
        return Problem(where, what, "JSON is UTF-8 text: save the file as UTF-8, or name its format with `reader:`")
    if isinstance(error, UnicodeEncodeError):
        return Problem(where, "half a character: \\ud... without its other half", "Write the character whole")
    if isinstance(error, json.JSONDecodeError):
        index = f"line {error.lineno}, column {error.colno}"
        what = f"broken JSON at {index}: {error.msg}"
        fix = "One object a line is called .jsonl: rename the file" if error.msg == "Extra data" else "Correct this row"
        return Problem(where, what, fix)
    return Problem(where, str(error), 'Write one object a case: {"column": "value", ...}')
