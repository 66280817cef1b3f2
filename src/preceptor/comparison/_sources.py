"""From what the user names, a file or a DataFrame, to tables."""

from collections.abc import Iterable, Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

from preceptor.comparison.logs import read_log
from preceptor.data import Row, Table, quoted, table_of
from preceptor.errors import InputError, Problem
from preceptor.files import expanded
from preceptor.progress import Advance, quiet


def number_of_files(given: Any) -> int:
    """How many files of predictions the user names for one arm."""
    return len(_several(given))


def read_arm(given: Any, name: str, advance: Advance = quiet) -> tuple[list[Table], list[Problem]]:
    """The predictions of one arm, one table a seed, and what is wrong with its files; `name` is a or b. `advance`
    counts files.
    """
    several = _several(given)
    if not several:
        return [], [Problem(name, "the list holds no file", "Name a file of predictions for each seed")]
    tables, problems = [], []
    for seed, one in enumerate(several, 1):
        try:
            tables.append(read_source(one, f"{name}, seed {seed}" if len(several) > 1 else name))
        except InputError as error:
            problems += error.problems
        advance()
    return tables, problems


def read_source(given: Any, name: str) -> Table:
    """A file or a DataFrame as a table; `name` is how messages call the latter. Raises InputError."""
    if isinstance(given, str | PathLike):
        return read_log(expanded(given))
    if is_frame(given):
        _check_columns(given, name)
        records = given.astype(object).where(given.notna(), None).to_dict("records")
        return _table(records, f"DataFrame {name}")
    what = f"a file or a DataFrame was expected, found {type(given).__name__}"
    raise InputError(Problem(name, what, "Name a file of predictions"))


def _several(given: Any) -> Sequence[Any]:
    return given if isinstance(given, list | tuple) else [given]


def _check_columns(frame: Any, name: str) -> None:
    """Raises InputError for columns of the same name, of which only one would be read."""
    columns = [str(column) for column in frame.columns]
    twice = [column for column in dict.fromkeys(columns) if columns.count(column) > 1]
    fix = "Give every column a name of its own, or leave one out"
    if twice:
        raise InputError(
            [Problem(f"DataFrame {name}", f"column {quoted(one)} stands there twice", fix) for one in twice]
        )


def read_mapping(given: Mapping[Any, Any], name: str) -> Table:
    """Case id -> value as a table with the columns `id` and `name`."""
    return _table([{"id": case, name: value} for case, value in given.items()], f"{name} (mapping)")


def is_frame(given: Any) -> bool:
    """Whether this is a DataFrame of pandas, which need not be installed."""
    return all(hasattr(given, name) for name in ("columns", "astype", "notna", "to_dict"))


def _table(records: Iterable[Mapping[Any, Any]], name: str) -> Table:
    """Rows are numbered from 0, as DataFrames count them."""
    return table_of(Path(name), [Row(number, dict(cells)) for number, cells in enumerate(records)], unit="position")
