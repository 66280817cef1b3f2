"""`read` and `write`: a file in any of the formats -> rows, and rows -> a private file in one of them."""

import json
import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from preceptor.data import read_table
from preceptor.errors import InputError, Problem
from preceptor.files import write_atomic
from preceptor.preferences.interchange import argilla, label_studio, llama_factory, openai, table, trl
from preceptor.preferences.interchange._case import Case
from preceptor.preferences.interchange._row import Lost, Row

_READERS: dict[str, Callable[[Case], list[Row]]] = {
    "trl": trl.rows, "openai": openai.rows, "csv": table.rows, "xlsx": table.rows, "llama-factory": llama_factory.rows,
    "argilla": argilla.rows, "label-studio": label_studio.rows,
}  # fmt: skip
READABLE = (*_READERS, "labels")
WRITABLE = ("trl", "trl-sft", "trl-dpo", "openai", "openai-sft", "openai-dpo", "csv", "xlsx")
_ENDINGS = {"trl": ".jsonl", "openai": ".jsonl", "csv": ".csv", "xlsx": ".xlsx"}
_MOST_SHOWN = 20


def read(file: Path, format: str | None = None) -> tuple[list[Row], Lost]:
    """The rows of a file, and what of it they cannot hold. Without `format` it is found out from ending and fields.

    Raises InputError with every problem of the file, each with row and field; rows are counted as `read_table` does.
    """
    if format is not None and format not in READABLE:
        raise InputError(Problem(format, "no such format can be read", f"Known: {', '.join(READABLE)}"))
    if format == "labels" or (format is None and file.suffix == ".sqlite"):
        from preceptor.preferences.interchange.label_store import read_store

        return read_store(file)
    cases = list(_cases(file, format))
    read_case = _READERS[format or _guess(file, cases)]
    rows: list[Row] = []
    lost: Counter[str] = Counter()
    problems = []
    for case in cases:
        rows += read_case(case)
        lost.update(sorted(case.lost))
        problems += [Problem(f"{file}, row {case.number}, {name}", what, fix) for name, what, fix in case.wrong]
    _stop_if_any(problems, file)
    return rows, Lost(dict(lost))


def write(
    rows: Sequence[Row],
    file: Path,
    format: str | None = None,
    *,
    overwrite: bool = False,
    data_leaves_this_machine: bool = False,
) -> Lost:
    """Write a file that only its owner can read, whole or not at all; returns what of the rows it cannot hold.

    Without `format` the ending decides. `trl` and `openai` hold pairs or right answers: pairs where there are any,
    unless `-sft` or `-dpo` says. Raises InputError where the file exists, where nothing of the rows can be held, or for
    a format that is made to be uploaded, unless that is allowed.
    """
    format = format or {".csv": "csv", ".xlsx": "xlsx", ".jsonl": "trl"}.get(file.suffix.lower(), "")
    _refuse_target(file, format, overwrite, data_leaves_this_machine)
    base, _, kind = format.partition("-")
    lost: Counter[str] = Counter()
    if base in ("csv", "xlsx"):
        held = list(rows)
        _stop_if_none(held, file, "rows")
        data: str | bytes = (table.csv_file if base == "csv" else table.xlsx_file)(held, lost)
    else:
        pairs = kind == "dpo" or (not kind and any(row.is_pair for row in rows))
        held = [row for row in rows if (row.is_pair if pairs else row.target is not None)]
        what = "pairs" if pairs else "right answers"
        _stop_if_none(held, file, what)
        left_out = len(rows) - len(held)
        lost.update({f"left out, as a file of {what} cannot hold them": left_out} if left_out else {})
        data = (openai if base == "openai" else trl).write(held, lost, pairs)
    write_atomic(file, data)
    return Lost(dict(lost))


def _cases(file: Path, format: str | None) -> Iterator[Case]:
    """The file's cases. `read_table` says what is wrong with a file, and keeps numbers as the text of their cells.

    So JSON that it found sound is read again, with its numbers.
    """
    found = read_table(file, format if format in ("csv", "xlsx") else None)
    is_json = found.encoding == "utf-8" and file.suffix.lower() in (".json", ".jsonl", ".ndjson")
    values = _json_values(file) if is_json and format not in ("csv", "xlsx") else [row.cells for row in found.rows]
    of_text = found.encoding != "parquet" and not is_json
    for row, cells in zip(found.rows, values, strict=True):
        plain = table.without_apostrophe(cells) if of_text and found.encoding != "xlsx" else cells
        yield Case(row.number, plain, only_texts=of_text)


def _json_values(file: Path) -> list[Any]:
    text = file.read_text(encoding="utf-8-sig")
    if file.suffix.lower() == ".json":
        return list(_parsed(text))
    return [_parsed(line) for line in text.split("\n") if line.strip()]


def _parsed(text: str) -> Any:
    """JSON; null for what is no number, and the digits of one that no number of this machine can hold."""
    return json.loads(text, parse_float=_finite, parse_int=_finite, parse_constant=lambda _: None)


def _finite(digits: str) -> Any:
    if digits.lstrip("-").isdigit() and len(digits) < 4000:
        return int(digits)
    number = float(digits)
    return number if math.isfinite(number) else digits


def _guess(file: Path, cases: Sequence[Case]) -> str:
    names = set().union(*(case.cells.keys() for case in cases))
    if cases[0].only_texts:
        return "csv"
    if {"data", "annotations"} <= names:
        return "label-studio"
    if "fields" in names and names & {"responses", "suggestions"}:
        return "argilla"
    if {"conversations", "instruction"} & names:
        return "llama-factory"
    return "openai" if "preferred_output" in names else "trl"


def _refuse_target(file: Path, format: str, overwrite: bool, data_leaves_this_machine: bool) -> None:
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


def _stop_if_none(held: Sequence[Row], file: Path, what: str) -> None:
    if not held:
        raise InputError(Problem(str(file), f"there are no {what} to write", "Give rows that have them"))


def _stop_if_any(problems: list[Problem], file: Path) -> None:
    more = len(problems) - _MOST_SHOWN
    if more > 0:
        problems = [*problems[:_MOST_SHOWN], Problem(str(file), f"{more} more problems like these", "Start with those")]
    if problems:
        raise InputError(problems)
