"""`read_examples`: rows -> examples of a task, and every row that cannot be one."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from preceptor.data._chat import Chat, ChatError, read_chat
from preceptor.data._columns import chat_columns, chat_form, column_problems, target_column
from preceptor.data._problems import did_you_mean, listed, shown, shown_if_meant, stop_if_any
from preceptor.data._refused import RefusedRow, WrongRow
from preceptor.data._spec import EACH_ROW, DataSpec
from preceptor.data._table import Table, read_table
from preceptor.data._text_files import Row
from preceptor.errors import InputError, Problem
from preceptor.files import digest
from preceptor.tasks import INVALID, Example, Split, Task, make_cases

_SPLITS: dict[str, Split] = {
    "train": "train", "validation": "validation", "val": "validation", "valid": "validation", "dev": "validation",
    "test": "test",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Read:
    """What came out of the data. `refused` are rows left out, and why; `sha256` names the examples' content.

    `encodings` says how each file was read, so that a wrong guess is seen.
    """

    examples: list[Example]
    refused: list[RefusedRow]
    sha256: str
    encodings: dict[str, str] = field(default_factory=dict)


def read_examples(spec: DataSpec, task: Task, base_folder: Path) -> Read:
    """The examples that a `data:` block describes, in file order.

    Raises InputError with all problems of all files at once. With `bad_rows: leave out`, rows that cannot be used
    are `refused` instead; columns that are missing, ids that stand twice and unreadable files stay fatal.
    """
    if spec.cases:
        cases = make_cases(task.cases or task.name, spec.cases, spec.seed)
        return Read(cases, [], _fingerprint(cases))
    tables, problems = _read_tables(spec, base_folder)
    rows: list[_Case] = []
    refused: list[RefusedRow] = []
    for split, table in tables.items():
        missing = list(column_problems(spec, task, table))
        problems += missing
        if not missing:
            _read_rows(spec, task, table, split, rows, refused)
    problems += _doubled_ids(spec, rows)
    if spec.bad_rows == "stop" or not rows:
        problems += refused
    stop_if_any(problems)
    examples = [case.example for case in rows]
    encodings = {str(table.path): table.encoding for table in tables.values()}
    return Read(examples, refused, _fingerprint(examples), encodings)


def iso_day(text: str) -> str | None:
    """The day of an ISO 8601 date, with a time or without; None when it is something else."""
    try:
        return datetime.fromisoformat(text.strip()).date().isoformat()
    except ValueError:
        return None


@dataclass(frozen=True, slots=True)
class _Case:
    example: Example
    where: str


def _read_tables(spec: DataSpec, base_folder: Path) -> tuple[dict[Split | None, Table], list[Problem]]:
    tables, problems = {}, []
    for split, path in spec.files(base_folder).items():
        try:
            tables[split] = read_table(path, spec.reader, spec.encoding)
        except InputError as error:
            problems += error.problems
    return tables, problems


def _read_rows(
    spec: DataSpec, task: Task, table: Table, split: Split | None, cases: list[_Case], refused: list[RefusedRow]
) -> None:
    """Append the rows of one file that are examples to `cases`, and what is wrong with the others to `refused`."""
    for row in table.rows:
        wrong: list[WrongRow] = []
        name = _named(spec, row, "id", wrong) or (f"{split}-{row.number}" if split else str(row.number))
        patient = name if spec.group == EACH_ROW else _named(spec, row, "group", wrong)
        own_split = split or _own_split(spec, row, wrong)
        chat, fields = None, {}
        if task.fields:
            fields = _fields(spec, task, row, wrong)
            target = _single_text(row, target_column(spec, table), wrong)
        else:
            chat = _chat(spec, table, row, wrong)
            target = chat.target if chat else None
        rejected = chat.rejected if chat and chat.rejected else _rejected(spec, task, row, wrong)
        target = _checked_target(spec, task, target, wrong)
        date, about = _date(spec, row, wrong), {name: _value(row, name, wrong) for name in spec.subgroups}
        refused += [_refused(table, row, one) for one in wrong]
        if not wrong:
            turns, rejected = chat.prompt if chat else None, rejected if rejected != target else None
            example = Example(name, patient, fields, target, own_split, turns, rejected, date, about)
            cases.append(_Case(example, table.where(row)))


def _refused(table: Table, row: Row, wrong: WrongRow) -> RefusedRow:
    told = wrong.problem(table.where(row))
    return RefusedRow(told.where, told.what, told.fix, table.path.name, table.counted, row.number, wrong)


def _named(spec: DataSpec, row: Row, key: str, wrong: list[WrongRow]) -> str:
    """The id or the group of a row; "" when the spec names no such column or the cell is empty."""
    column = getattr(spec, key)
    if not column:
        return ""
    text = _single_text(row, column, wrong)
    if text is not None and not text.strip():
        what = f"column {shown(column)} (`{key}`) is empty"
        wrong.append(WrongRow(f"no_{key}", what, "Fill it, or leave the row out"))
    return (text or "").strip()


def _date(spec: DataSpec, row: Row, wrong: list[WrongRow]) -> str | None:
    """The day of the case, as ISO 8601; None where the row has none."""
    text = (_single_text(row, spec.date, wrong) or "").strip() if spec.date else ""
    if not text:
        return None
    day = iso_day(text)
    if day is None:
        what = f"column {shown(spec.date or '')} (`date`) holds no date that can be read"
        wrong.append(WrongRow("no_date", what, "Write dates like 2024-03-05, or leave `date` out of the study"))
    return day


def _value(row: Row, column: str, wrong: list[WrongRow]) -> str:
    return (_single_text(row, column, wrong) or "").strip() or "not given"


def _own_split(spec: DataSpec, row: Row, wrong: list[WrongRow]) -> Split | None:
    if not spec.split:
        return None
    text = _single_text(row, spec.split, wrong)
    split = _SPLITS.get((text or "").strip().lower())
    if text is not None and split is None:
        said = f"split {shown_if_meant(text, _SPLITS)} is not known"
        wrong.append(WrongRow("unknown_split", "the split is not known", "Write train, validation or test", said))
    return split


def _fields(spec: DataSpec, task: Task, row: Row, wrong: list[WrongRow]) -> dict[str, str]:
    fields = {}
    for name in task.fields:
        column = spec.columns.get(name, name)
        text = _single_text(row, column, wrong)
        if text is not None and not text.strip():
            if spec.empty is None:
                fix = "Fill it, or say `empty: not given` in the study to have that written in its place"
                wrong.append(WrongRow("empty_field", f"column {shown(column)} (field `{name}`) is empty", fix))
            text = spec.empty
        fields[name] = text or ""
    return fields


def _single_text(row: Row, column: str, wrong: list[WrongRow]) -> str | None:
    cell = row.cells.get(column, "")
    if isinstance(cell, str):
        return cell
    what = f"column {shown(column)} holds a list or object, a text was expected"
    wrong.append(WrongRow("no_text", what, "Write it as one text"))
    return None


def _chat(spec: DataSpec, table: Table, row: Row, wrong: list[WrongRow]) -> Chat | None:
    form = chat_form(spec, table) or ()
    columns = chat_columns(spec)
    try:
        return read_chat({name: row.cells.get(columns[name], "") for name in form}, form)
    except ChatError as error:
        wrong.append(WrongRow("chat_turns", str(error), "Correct this row"))
        return None


def _checked_target(spec: DataSpec, task: Task, text: str | None, wrong: list[WrongRow]) -> str:
    """The right answer, mapped through `labels`; for label tasks it must give one of the task's labels."""
    if text is None:
        return ""
    target = text.strip()
    target = spec.labels.get(target, target)
    if not target:
        wrong.append(WrongRow("no_answer", "the answer is empty", "Fill it, or leave the row out"))
    elif task.answer.kind == "label" and not _gives_label(task, target):
        wrong.append(_not_a_label(task, target))
    return target


def _rejected(spec: DataSpec, task: Task, row: Row, wrong: list[WrongRow]) -> str | None:
    """The wrong answer of a row, mapped through `labels`; None where it has none."""
    text = (_single_text(row, spec.rejected, wrong) or "").strip() if spec.rejected else ""
    text = spec.labels.get(text, text)
    if text and task.answer.kind == "label" and not _gives_label(task, text):
        one = _not_a_label(task, text)
        wrong.append(replace(one, what=f"`rejected`: {one.what}", shown=f"`rejected`: {one.shown}"))
    return text or None


def _gives_label(task: Task, target: str) -> bool:
    """A reasoned answer is read as the model's will be, so a label alone does not do there."""
    return target in task.labels if task.answer.parser == "label" else task.parse(target) != INVALID


def _not_a_label(task: Task, target: str) -> WrongRow:
    cell, labels = shown_if_meant(target, task.labels), f"Labels are {listed(task.labels)}"
    if task.answer.parser == "final_answer":
        marker = task.answer.marker
        fix = f"End each answer with `{marker} <label>`, or set parser: label in the task. {labels}"
        what = f"does not end with `{marker}` and one of the task's labels"
        return WrongRow("unknown_label", f"the answer {what}", fix, f"the answer, {cell}, {what}")
    fix, near = f"{labels}; map others with `labels:` in the study", did_you_mean(target, task.labels)
    said = f"label {cell} is not one of the task's"
    return WrongRow("unknown_label", "the label is not one of the task's", fix, said, near)


def _doubled_ids(spec: DataSpec, cases: Sequence[_Case]) -> list[Problem]:
    count = Counter(case.example.id for case in cases)
    first: dict[str, str] = {}
    problems = []
    for case in cases:
        name = case.example.id
        if count[name] > 1 and name in first:
            fix = f"Give every case an id of its own, or drop `id: {spec.id}` to count rows instead"
            problems.append(Problem(case.where, f"id {shown(name)} stands already in {first[name]}", fix))
        first.setdefault(name, case.where)
    return problems


def _fingerprint(examples: Sequence[Example]) -> str:
    """SHA-256 of the examples' whole content: another column, label or row gives another one."""
    return digest([_content(example) for example in examples])


def _content(example: Example) -> Mapping[str, Any]:
    return {
        "id": example.id,
        "group": example.group,
        "fields": dict(example.fields),
        "target": example.target,
        "split": example.split,
        "prompt": example.prompt,
        "rejected": example.rejected,
        **({"date": example.date} if example.date else {}),
        **({"about": dict(example.about)} if example.about else {}),
    }
