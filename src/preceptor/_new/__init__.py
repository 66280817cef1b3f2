"""Scaffolding for `preceptor new`: a task file and a study file for the user's table."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from preceptor._new.problems import problems_of
from preceptor._new.settings import NewStudy
from preceptor._new.study_file import study_yaml
from preceptor._new.task_file import task_yaml
from preceptor._new.text import by_spelling, schema_file
from preceptor._schema import SchemaOf, json_schema
from preceptor.data import SetColumn, Table, has_header, looks_like_labels, missing_header, set_column
from preceptor.errors import InputError, Problem
from preceptor.files import write_atomic, write_json

__all__ = ["NewFiles", "NewStudy", "write_new"]

_SCHEMAS: tuple[SchemaOf, ...] = ("study", "task")


@dataclass(frozen=True, slots=True)
class NewFiles:
    """Paths of the two files written. answers: what the column of right answers was taken for, in words."""

    task: Path
    study: Path
    answers: str


def write_new(table: Table, folder: Path, name: str, said: NewStudy, *, overwrite: bool = False) -> NewFiles:
    """Write `<name>.task.yaml` and `<name>.study.yaml` in `folder`, runnable and commented for editing, with schemas.

    Raises InputError with every problem; existing files are replaced only with `overwrite`.
    """
    if not has_header(table):
        raise InputError(missing_header(table))
    sets = set_column(table, said.target)
    answers = _in_words(table, said.target, sets)
    files = NewFiles(folder / f"{name}.task.yaml", folder / f"{name}.study.yaml", answers)
    problems = problems_of(table, name, said, sets)
    if not overwrite:
        problems += [
            Problem(
                str(path),
                "this file exists already",
                "Choose another name, or have it replaced: --overwrite, overwrite=True",
            )
            for path in (files.task, files.study)
            if path.exists()
        ]
    if problems:
        raise InputError(problems)
    fields = _field_names(said.text)
    try:
        write_atomic(files.task, task_yaml(table, name, fields, said.target, sets))
        write_atomic(files.study, study_yaml(table, files.study, files.task.name, name, fields, said, sets))
        for of in _SCHEMAS:
            write_json(folder / schema_file(of), json_schema(of))
    except OSError as error:
        raise InputError(
            Problem(str(folder), f"cannot write here: {error.strerror}", "Choose another folder")
        ) from None
    return files


def _in_words(table: Table, target: str, sets: SetColumn | None) -> str:
    if sets is not None:
        return f"several of {len(sets.labels)} labels, `{sets.separator.strip()}` between them"
    if looks_like_labels(table, target):
        return f"one of {len(by_spelling(table.distinct(target)))} labels"
    return "text"


def _field_names(columns: Sequence[str]) -> dict[str, str]:
    """Field -> column: unique identifiers, as placeholders require."""
    fields: dict[str, str] = {}
    for column in columns:
        normalised = re.sub(r"\W+", "_", column).strip("_").lower() or "field"
        field, suffix = normalised, 2
        while field in fields:
            field, suffix = f"{normalised}_{suffix}", suffix + 1
        fields[field] = column
    return fields
