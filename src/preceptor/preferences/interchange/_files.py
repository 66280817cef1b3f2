"""`read` and `write`: convert between rows and files of all supported formats."""

import json
import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from preceptor.data import read_table
from preceptor.errors import InputError, Problem, shortened
from preceptor.files import write_atomic
from preceptor.preferences.interchange import argilla, label_studio, llama_factory, openai, table, trl
from preceptor.preferences.interchange._record import Record
from preceptor.preferences.interchange._row import Lost, Row

_READERS: dict[str, Callable[[Record], list[Row]]] = {
    "trl": trl.rows, "openai": openai.rows, "csv": trl.rows, "xlsx": trl.rows, "llama-factory": llama_factory.rows,
    "argilla": argilla.rows, "label-studio": label_studio.rows,
}  # fmt: skip
READABLE = (*_READERS, "labels")
WRITABLE = ("trl", "trl-sft", "trl-dpo", "openai", "openai-sft", "openai-dpo", "csv", "xlsx")
_ENDINGS = {"trl": ".jsonl", "openai": ".jsonl", "csv": ".csv", "xlsx": ".xlsx"}
_MAX_SHOWN = 20


def read(file: Path, format: str | None = None) -> tuple[list[Row], Lost]:
    """The rows of a file, and the losses. Without `format`, detects it from suffix and fields.

    Raises InputError with every problem of the file, each with row and field; rows are numbered as by `read_table`.
    """
    if format is not None and format not in READABLE:
        raise InputError(Problem(format, "no such format can be read", f"Known: {', '.join(READABLE)}"))
    if format == "labels" or (format is None and file.suffix == ".sqlite"):
        from preceptor.preferences.interchange.label_store import read_store

        return read_store(file)
    records = list(_records(file, format))
    read_record = _READERS[format or _guess(file, records)]
    rows: list[Row] = []
    lost = Lost()
    problems = []
    for record in records:
        rows += read_record(record)
        lost.update(sorted(record.lost))
        problems += [Problem(f"{file}, row {record.number}, {name}", what, fix) for name, what, fix in record.problems]
    if problems:
        raise InputError(shortened(problems, _MAX_SHOWN, str(file), "problems like these", "Start with those"))
    return rows, lost


def write(
    rows: Sequence[Row],
    file: Path,
    format: str | None = None,
    *,
    overwrite: bool = False,
    data_leaves_this_machine: bool = False,
) -> Lost:
    """Write a file atomically, private to its owner; returns the losses.

    Without `format` the suffix decides. `trl` and `openai` write pairs if there are any, else right answers; `-sft` and
    `-dpo` choose one. Raises InputError when the file exists, when no row fits the format, or for a format meant for
    upload, unless that is allowed.
    """
    format = format or {".csv": "csv", ".xlsx": "xlsx", ".jsonl": "trl"}.get(file.suffix.lower(), "")
    _check_target(file, format, overwrite, data_leaves_this_machine)
    base, _, kind = format.partition("-")
    lost = Lost()
    if base in ("csv", "xlsx"):
        held = list(rows)
        _check_any(held, file, "rows")
        data: str | bytes = (table.csv_file if base == "csv" else table.xlsx_file)(held, lost)
    else:
        pairs = kind == "dpo" or (not kind and any(row.is_pair for row in rows))
        held = [row for row in rows if (row.is_pair if pairs else row.target is not None)]
        what = "pairs" if pairs else "right answers"
        _check_any(held, file, what)
        skipped = len(rows) - len(held)
        lost.update({f"left out, as a file of {what} cannot hold them": skipped} if skipped else {})
        data = (openai if base == "openai" else trl).write(held, lost, pairs)
    write_atomic(file, data)
    return lost


def _records(file: Path, format: str | None) -> Iterator[Record]:
    """The file's records. `read_table` validates the file, but keeps numbers as text.

    So valid JSON is parsed again, with its numbers.
    """
    found = read_table(file, format if format in ("csv", "xlsx") else None)
    is_json = found.encoding == "utf-8" and file.suffix.lower() in (".json", ".jsonl", ".ndjson")
    values = _json_values(file) if is_json and format not in ("csv", "xlsx") else [row.cells for row in found.rows]
    of_text = found.encoding != "parquet" and not is_json
    for row, cells in zip(found.rows, values, strict=True):
        plain = table.unguard(cells) if of_text and found.encoding != "xlsx" else cells
        yield Record(row.number, plain, only_texts=of_text)


def _json_values(file: Path) -> list[Any]:
    text = file.read_text(encoding="utf-8-sig")
    if file.suffix.lower() == ".json":
        return list(_parsed(text))
    return [_parsed(line) for line in text.split("\n") if line.strip()]


def _parsed(text: str) -> Any:
    """JSON; null for NaN and infinity, and the digits of numbers out of range."""
    return json.loads(text, parse_float=_finite, parse_int=_finite, parse_constant=lambda _: None)


def _finite(digits: str) -> Any:
    if digits.lstrip("-").isdigit() and len(digits) < 4000:
        return int(digits)
    number = float(digits)
    return number if math.isfinite(number) else digits


def _guess(file: Path, records: Sequence[Record]) -> str:
    names = set().union(*(record.cells.keys() for record in records))
    if records[0].only_texts:
        return "csv"
    if {"data", "annotations"} <= names:
        return "label-studio"
    if "fields" in names and names & {"responses", "suggestions"}:
        return "argilla"
    if {"conversations", "instruction"} & names:
        return "llama-factory"
    return "openai" if "preferred_output" in names else "trl"


def _check_target(file: Path, format: str, overwrite: bool, data_leaves_this_machine: bool) -> None:
    if format not in WRITABLE:
        what = (
            f"no format `{format}` can be written" if format else f"`{file.suffix}` does not say which format is meant"
        )
        raise InputError(Problem(str(file), what, f"Name one of {', '.join(WRITABLE)} with --to"))
    ending = _ENDINGS[format.partition("-")[0]]
    if file.suffix.lower() != ending:
        raise InputError(Problem(str(file), f"a file of the format {format} ends in {ending}", "Name it so"))
    if format.startswith("openai") and not data_leaves_this_machine:
        what = "an OpenAI fine-tuning file is made to be uploaded, and it would hold these cases in full"
        fix = "Say --data-leaves-this-machine if you may send them there; else write another format"
        raise InputError(Problem(str(file), what, fix))
    if file.exists() and not overwrite:
        raise InputError(Problem(str(file), "there is something already", "Name another file, or say --overwrite"))


def _check_any(held: Sequence[Row], file: Path, what: str) -> None:
    if not held:
        raise InputError(Problem(str(file), f"there are no {what} to write", "Give rows that have them"))
