"""Scaffolding for `preceptor new`: a task file and a study file for the user's table."""

import json
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from preceptor._schema import SchemaOf, json_schema
from preceptor.data import EACH_ROW, Table, describe_columns, has_header, iso_day, looks_like_labels, missing_header
from preceptor.errors import InputError, Problem
from preceptor.files import write_atomic, write_json
from preceptor.models import EMBEDDED, EMBEDDED_ENCODER, fetch_command

_SCHEMAS: tuple[SchemaOf, ...] = ("study", "task")


@dataclass(frozen=True, slots=True)
class NewFiles:
    """Paths of the two files written."""

    task: Path
    study: Path


def write_new(
    table: Table,
    folder: Path,
    name: str,
    *,
    text: Sequence[str],
    label: str,
    patient: str | None,
    date: str | None = None,
    each_row: bool = False,
    model: str = EMBEDDED,
    arms: Sequence[str] | None = None,
    margin: float | None = None,
    overwrite: bool = False,
) -> NewFiles:
    """Write `<name>.task.yaml` and `<name>.study.yaml` in `folder`, runnable and commented for editing, with schemas.

    text: the input columns; label: the column of right answers, whose few short values make a label task, anything else
    a text task; patient: the patient's column, or `each_row` if every row is a different patient; date: a column not
    shown to the model; model, arms, margin: settings of the study, as it has them. Raises InputError with every
    problem; existing files are replaced only with `overwrite`.
    """
    if not has_header(table):
        raise InputError(missing_header(table))
    files = NewFiles(folder / f"{name}.task.yaml", folder / f"{name}.study.yaml")
    problems = _column_problems(table, text, label, patient, date)
    problems += _patient_problems(table, patient, each_row) + _label_problems(table, label)
    if not re.fullmatch(r"\w[\w.-]*", name):
        problems.append(Problem("name", f"`{name}` cannot be a file name", "Use letters, digits, - and _"))
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
    fields = _field_names(text)
    try:
        write_atomic(files.task, _task_yaml(table, name, fields, label))
        write_atomic(files.study, _study_yaml(table, files, name, fields, label, patient, date, model, arms, margin))
        for of in _SCHEMAS:
            write_json(folder / _schema_file(of), json_schema(of))
    except OSError as error:
        raise InputError(
            Problem(str(folder), f"cannot write here: {error.strerror}", "Choose another folder")
        ) from None
    return files


def _column_problems(
    table: Table, text: Sequence[str], label: str, patient: str | None, date: str | None
) -> list[Problem]:
    named = [*text, label, *(column for column in (patient, date) if column)]
    fix = describe_columns(table)
    problems = [
        Problem(str(table.path), f"there is no column `{column}`", fix)
        for column in dict.fromkeys(named)
        if column not in table.columns
    ]
    if not text:
        problems.append(Problem(str(table.path), "no column is named for the model to read", fix))
    if label in text:
        what = f"`{label}` is both what the model reads and the answer"
        problems.append(Problem(str(table.path), what, "Take it out of the text columns"))
    return problems


def _patient_problems(table: Table, patient: str | None, each_row: bool) -> list[Problem]:
    where = str(table.path)
    if patient and each_row:
        return [Problem(where, "a patient column is named and every row is said to be another patient", "Say one")]
    if not patient and not each_row:
        fix = "Name the patient's column with --group; if every row is another patient, say --group 'each row'"
        return [Problem(where, "nothing says which rows are one patient's", fix)]
    return []


def _label_problems(table: Table, label: str) -> list[Problem]:
    values = table.distinct(label)
    if label not in table.columns or len(_by_spelling(values)) > 1:
        return []
    found = "is empty" if not values else "has one value only"
    return [Problem(str(table.path), f"column `{label}` {found}", "Name the column of right answers")]


def _by_spelling(values: Sequence[str]) -> dict[str, str]:
    """Normalised label -> its first spelling: labels that differ in case or white space only are the same."""
    first: dict[str, str] = {}
    for value in values:
        first.setdefault(_normalised(value), value.strip())
    return first


def _normalised(value: str) -> str:
    return " ".join(value.casefold().split())


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


def _schema_file(of: SchemaOf) -> str:
    """Where editors find a schema: beside the files, so that both can be moved together and no network is asked."""
    return f".preceptor/{of}.schema.json"


def _editor_line(of: SchemaOf) -> str:
    """By this comment editors that speak with the YAML language server complete keys and mark mistakes."""
    return f"# yaml-language-server: $schema={_schema_file(of)}"


def _task_yaml(table: Table, name: str, fields: dict[str, str], label: str) -> str:
    labelled = looks_like_labels(table, label)
    labels = list(_by_spelling(table.distinct(label)).values())
    longest = max(fields, key=lambda field: sum(map(len, table.column(fields[field]))))
    shape = _label_answer(labels) if labelled else _text_answer(labels)
    instruction = (
        f"Give the {_words(label)} of this case. Answer with one of these and nothing else: " + "; ".join(labels)
        if labelled
        else f"Write the {_words(label)} for this case. Use only what is stated."
    )
    lines = [
        _editor_line("task"),
        "# A task: what is put to the model, and how its answer is read and judged. Change the words freely.",
        f"name: {_scalar(name)}",
        f"title: {_scalar(_words(name).capitalize())}  # stands over tables and figures",
        f"question: {_scalar(f'What is the {_words(label)} of this case?')}  # for the people who read the report",
        f"source: {_scalar(f'Column {label} of {table.path.name}')}  # where the right answers come from",
        "fields:  # what a case has; the study file says which column each is",
        *(f"  {_scalar(field)}: {_scalar(f'The column {column}')}" for field, column in fields.items()),
        "instruction:  # what the model is told before every case",
        f"  {_scalar(instruction)}",
        "prompt: |-  # one case; {field} is replaced by its text",
        *_prompt_lines(fields),
        f"cut: {_scalar(longest)}  # the one field that may be shortened, in its middle, when a case is too long",
        *shape,
    ]
    return "\n".join(lines) + "\n"


def _prompt_lines(fields: dict[str, str]) -> list[str]:
    if len(fields) == 1:
        return [f"  {{{field}}}" for field in fields]
    return [f"  {' '.join(re.sub('[{}]', '', column).split())}: {{{field}}}" for field, column in fields.items()]


def _label_answer(labels: Sequence[str]) -> list[str]:
    return [
        "answer:",
        "  kind: label  # the answer is one of the labels",
        "  labels:  # label: what it means",
        *(f"    {_scalar(label)}: {_scalar(f'The case is {label}')}" for label in labels),
        "  parser: label  # or final_answer: reasoning first, then a line `Answer: <label>`",
        f"  max_new_tokens: {max(8, max(map(len, labels)))}  # room for the answer",
        "metric: macro_f1  # or accuracy",
        "also: [accuracy]  # shown beside it",
    ]


def _text_answer(values: Sequence[str]) -> list[str]:
    longest = max(len(value) for value in values)
    return [
        "answer:",
        "  kind: text  # the answer is free text",
        "  parser: text",
        f"  max_new_tokens: {min(1024, max(64, longest // 3))}  # room for the answer",
        "metric: rouge_l  # overlap with the right answer, 0 to 1",
    ]


def _study_yaml(
    table: Table,
    files: NewFiles,
    name: str,
    fields: dict[str, str],
    label: str,
    patient: str | None,
    date: str | None,
    model: str,
    arms: Sequence[str] | None,
    margin: float | None,
) -> str:
    path = os.path.relpath(table.path.absolute(), files.study.parent.absolute())
    whose = "the patient; never on both sides of a split" if patient else "every row is another patient"
    lines = [
        _editor_line("study"),
        f"# A study: what is compared. Run it with: preceptor study {files.study.name}",
        f"name: {_scalar(name)}  # its results lie in runs/<name>",
        f"model: {_scalar(model)}  # or a folder with a model in it",
        "seeds: [0]  # more seeds show how much training itself varies",
        *_arm_lines(arms, labelled=looks_like_labels(table, label)),
        "tasks:",
        f"  - task: {_scalar(files.task.name)}",
        _margin_line(margin),
        "    data:",
        f"      path: {_scalar(path)}  # relative to this file",
        "      columns:  # field of the task: column of the file",
        *(f"        {_scalar(field)}: {_scalar(column)}" for field, column in fields.items()),
        f"      target: {_scalar(label)}  # the column of right answers",
        f"      group: {_scalar(patient or EACH_ROW)}  # {whose}",
        *_spelling_lines(table, label),
        *_gap_lines(table, fields, label),
    ]
    if date:
        lines.append(_date_line(table, date))
    return "\n".join(lines) + "\n"


def _arm_lines(arms: Sequence[str] | None, *, labelled: bool) -> list[str]:
    if arms is not None:
        return [f"arms: [{', '.join(map(_scalar, arms))}]"]
    words = "# The untouched model; taught by example; then by preference; more examples for the price of preference."
    if not labelled:
        return [words, "arms: [base, sft, sft+dpo, sft+sft]"]
    return [
        words,
        f"# Two simpler ways: a small encoder (`{fetch_command(EMBEDDED_ENCODER)}`; else left out), word counts.",
        "arms: [base, sft, sft+dpo, sft+sft, encoder, tfidf]",
    ]


def _margin_line(margin: float | None) -> str:
    setting = "# margin: 0.05" if margin is None else f"margin: {margin}"
    return f"    {setting}  # the least difference that matters to you; without one, nothing is called enough"


def _date_line(table: Table, date: str) -> str:
    if all(iso_day(text) for text in table.column(date) if text.strip()):
        return f"      date: {_scalar(date)}  # not shown to the model; the report says when the cases are from"
    return (
        f"      # The date column {_scalar(date)} is not shown to the model (the report reads dates like 2024-03-05)."
    )


def _spelling_lines(table: Table, label: str) -> list[str]:
    """A mapping of other spellings to the task's labels."""
    if not looks_like_labels(table, label):
        return []
    values = table.distinct(label)
    first = _by_spelling(values)
    spelt = {value.strip(): first[_normalised(value)] for value in values}
    other = [f"        {_scalar(value)}: {_scalar(one)}" for value, one in spelt.items() if value != one]
    return ["      labels:  # value in the file: label of the task", *other] if other else []


def _gap_lines(table: Table, fields: dict[str, str], label: str) -> list[str]:
    """Settings for empty cells, if there are any."""
    lines = []
    if any(not text.strip() for column in fields.values() for text in table.column(column)):
        lines.append("      empty: not given  # written in the prompt where a field is empty")
    if any(not text.strip() for text in table.column(label)):
        lines.append("      bad_rows: leave out  # rows without an answer are left out and counted")
    return lines


def _words(name: str) -> str:
    return " ".join(re.sub(r"[\W_]+", " ", name).split()).lower() or name


def _scalar(text: str) -> str:
    """A YAML scalar: plain if that parses back to the same text, else double-quoted."""
    bare = re.fullmatch(r"[^\W\d_][\w ./+-]*", text) and text == text.strip()
    if bare and yaml.safe_load(text) == text:
        return text
    return json.dumps(text, ensure_ascii=not text.isprintable())
