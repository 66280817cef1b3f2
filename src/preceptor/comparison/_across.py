"""What files of predictions must agree on: the same cases, and of each the same right answer and patient."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from typing import Any

from preceptor.comparison._rows import ID, by_id, few, id_problems, text_of, text_problems
from preceptor.comparison._sources import is_frame, read_mapping, read_source
from preceptor.data import Row, Table, describe_columns, meant_column, quoted
from preceptor.errors import InputError, Problem
from preceptor.files import expanded, is_file

_CALLED = {"gold": ("gold", "target", "label"), "group": ("group", "patient", "patient_id")}
"""What the column may be called in a file that is named for it."""
_SAYS = {"gold": "right answer", "group": "patient"}


@dataclass(frozen=True, slots=True)
class Lookup:
    """Where something that is known of each case stands: a column of some tables. `field` is gold or group."""

    field: str
    tables: Sequence[Table]
    column: str

    @property
    def says(self) -> str:
        """What the column holds, in words."""
        return _SAYS[self.field]


def case_problems(files: Sequence[Table]) -> Iterator[Problem]:
    """Cases that the first file has and another has not, or the other way round."""
    first, cases = files[0], by_id(files[0])
    for other in files[1:]:
        answered = by_id(other)
        for one, asked, two, there in ((first, cases, other, answered), (other, answered, first, cases)):
            fix = f"Give both the same cases: add it to {two.path}, or take it out here"
            alone = [
                Problem(one.where(row), f"id {quoted(case)} is not in {two.path}", fix)
                for case, row in asked.items()
                if case not in there
            ]
            yield from few(alone, one)


def find(field: str, given: Any, files: Sequence[Table]) -> Lookup:
    """Where `gold` or `group` stands that the user named: a mapping, a DataFrame, a file, or a column of `files`.

    Raises InputError when it is not there.
    """
    if isinstance(given, Mapping):
        return Lookup(field, [read_mapping(given, field)], field)
    if is_frame(given) or isinstance(given, PathLike):
        return _in_own_table(field, read_source(given, field))
    if not isinstance(given, str):
        what = f"a column, a file or a mapping was expected, found {type(given).__name__}"
        raise InputError(Problem(field, what, f"Name the column that holds the {_SAYS[field]} of each case"))
    if having := [table for table in files if given in table.columns]:
        return Lookup(field, having, given)
    if is_file(expanded(given)):
        return _in_own_table(field, read_source(given, field))
    what = f"there is no column {quoted(given)} (`{field}`), and no such file"
    near = [f"{meant_column(given, table)}{describe_columns(table)}" for table in files]
    raise InputError([Problem(str(table.path), what, fix) for table, fix in zip(files, near, strict=True)])


def value_problems(lookup: Lookup, cases: Mapping[str, Row], first: Table) -> Iterator[Problem]:
    """Cases for which nothing is said or two things are; `cases` are those of the `first` file."""
    if lists := [problem for table in lookup.tables for problem in text_problems(table, lookup.column)]:
        yield from lists
        return
    said: dict[str, tuple[str, Table, Row]] = {}
    for table in lookup.tables:
        others = []
        for row in table.rows:
            case, value = text_of(row, ID), text_of(row, lookup.column)
            if not value or case not in cases:
                continue
            earlier, there, at = said.setdefault(case, (value, table, row))
            if earlier != value:
                where = there.where(at)
                what = f"column {quoted(lookup.column)}: another {lookup.says} of id {quoted(case)} than in {where}"
                others.append(Problem(table.where(row), what, "Correct one of them, or give files of the same cases"))
        yield from few(others, table)
    of = ", ".join(dict.fromkeys(f"{table.path}: {lookup.column}" for table in lookup.tables))
    fix = f"Give every case its {lookup.says} there"
    missing = [
        Problem(first.where(row), f"the {lookup.says} of id {quoted(case)} is missing ({of})", fix)
        for case, row in cases.items()
        if case not in said
    ]
    yield from few(missing, first)


def values(lookup: Lookup) -> dict[str, str]:
    """Case id -> what is said of it."""
    said: dict[str, str] = {}
    for table in lookup.tables:
        for row in table.rows:
            if value := text_of(row, lookup.column):
                said.setdefault(text_of(row, ID), value)
    return said


def _in_own_table(field: str, table: Table) -> Lookup:
    """A file named for it has it under a usual name, or is of two columns."""
    others = [name for name in table.columns if name != ID]
    column = next((name for name in _CALLED[field] if name in others), others[0] if len(others) == 1 else None)
    problems = list(id_problems(table)) if ID not in table.columns else []
    if column is None:
        names = ", ".join(map(quoted, _CALLED[field]))
        fix = f"Call the one with the {_SAYS[field]} so. {describe_columns(table)}"
        problems.append(Problem(str(table.path), f"none of its columns is called {names}", fix))
    if problems or column is None:
        raise InputError(problems)
    return Lookup(field, [table], column)
