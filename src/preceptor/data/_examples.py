"""`read_examples`: from table rows to a task's examples, with every invalid row reported."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from preceptor.data._chat import Chat, ChatError, read_chat
from preceptor.data._columns import chat_columns, chat_forms, column_problems, target_column
from preceptor.data._invalid_rows import InvalidRow, RowProblem
from preceptor.data._label_sets import read_label_set
from preceptor.data._problems import did_you_mean, listed, quoted, quoted_if_near, raise_if_any
from preceptor.data._spec import EACH_ROW, DataSpec
from preceptor.data._table import Table, read_table
from preceptor.data._text_files import Row
from preceptor.errors import InputError, Problem
from preceptor.files import digest
from preceptor.tasks import INVALID, Example, Split, Task, composed, make_cases
from preceptor.text_pieces import without_separator

_Case = tuple[Example, str]
"""An example, and how messages name its row."""
_SPLITS: dict[str, Split] = {
    "train": "train", "validation": "validation", "val": "validation", "valid": "validation", "dev": "validation",
    "test": "test",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Read:
    """The examples read. refused: rows that were left out; sha256: hash of the examples' content.

    encodings: the text encoding used for each file, so that a wrong guess can be noticed.
    """

    examples: list[Example]
    refused: list[InvalidRow]
    sha256: str
    encodings: dict[str, str] = field(default_factory=dict)


def read_examples(spec: DataSpec, task: Task, base_folder: Path) -> Read:
    """The examples that a `data:` block describes, in file order.

    Raises InputError with all problems of all files at once. With `bad_rows: leave out`, invalid rows go to `refused`
    instead; missing columns, duplicate ids and unreadable files stay fatal.
    """
    if spec.cases:
        made = make_cases(task.cases or task.name, spec.cases, spec.seed)
        if strange := [name for name in spec.subgroups if any(name not in one.metadata for one in made)]:
            fix = f"Take it out; they have {listed(sorted(made[0].metadata)) or 'none'}"
            what = f"built-in cases have no subgroup {', '.join(map(quoted, strange))}"
            raise InputError(Problem(f"task {task.name}, data.subgroups", what, fix))
        made = [replace(one, metadata={name: one.metadata[name] for name in spec.subgroups}) for one in made]
        return Read(made, [], _fingerprint(made))
    tables, problems = _read_tables(spec, base_folder)
    cases: list[_Case] = []
    refused: list[InvalidRow] = []
    for split, table in tables.items():
        missing = list(column_problems(spec, task, table))
        problems += missing
        if not missing:
            _read_rows(spec, task, table, split, cases, refused)
    problems += _duplicate_ids(spec, cases)
    if spec.bad_rows == "stop" or not cases:
        problems += refused
    raise_if_any(problems)
    examples = [example for example, _ in cases]
    encodings = {str(table.path): table.encoding for table in tables.values()}
    return Read(examples, refused, _fingerprint(examples), encodings)


def iso_day(text: str) -> str | None:
    """The day of an ISO 8601 date, with a time or without; None when it is something else."""
    try:
        return datetime.fromisoformat(text.strip()).date().isoformat()
    except ValueError:
        return None


def _read_tables(spec: DataSpec, base_folder: Path) -> tuple[dict[Split | None, Table], list[Problem]]:
    tables, problems = {}, []
    for split, path in spec.files(base_folder).items():
        try:
            tables[split] = read_table(path, spec.reader, spec.encoding)
        except InputError as error:
            problems += error.problems
    return tables, problems


def _read_rows(
    spec: DataSpec, task: Task, table: Table, split: Split | None, cases: list[_Case], refused: list[InvalidRow]
) -> None:
    """Append the examples of one file to `cases` and its invalid rows to `refused`."""
    for row in table.rows:
        problems: list[RowProblem] = []
        name = _identifier(spec, row, "id", problems) or (f"{split}-{row.number}" if split else str(row.number))
        patient = name if spec.group == EACH_ROW else _identifier(spec, row, "group", problems)
        own_split = split or _own_split(spec, row, problems)
        chat, fields = None, {}
        if task.fields:
            fields = _fields(spec, task, row, problems)
            cell = row.cells.get(target_column(spec, table), "")
            target = None if task.set_labels else _single_text(row, target_column(spec, table), problems)
        else:
            chat = _chat(spec, table, row, problems)
            cell = target = chat.target if chat else None
        rejected = chat.rejected if chat and chat.rejected else _rejected(spec, task, row, problems)
        if task.set_labels:
            target = read_label_set(cell, spec.labels, task, problems) if cell is not None else ""
        else:
            target = _target(spec, task, target, problems)
        date, metadata = _date(spec, row, problems), {name: _subgroup(row, name, problems) for name in spec.subgroups}
        refused += [_invalid_row(table, row, one) for one in problems]
        if not problems:
            turns, rejected = chat.prompt if chat else None, rejected if rejected != target else None
            example = Example(name, patient, fields, target, own_split, turns, rejected, date, metadata)
            cases.append((example, table.where(row)))


def _invalid_row(table: Table, row: Row, problem: RowProblem) -> InvalidRow:
    full = problem.problem(table.where(row))
    return InvalidRow(full.where, full.what, full.fix, table.path.name, table.unit, row.number, problem)


def _identifier(spec: DataSpec, row: Row, key: str, problems: list[RowProblem]) -> str:
    """The id or the group of a row; "" when the spec names no such column or the cell is empty."""
    column = getattr(spec, key)
    if not column:
        return ""
    text = _single_text(row, column, problems)
    if text is not None and not text.strip():
        what = f"column {quoted(column)} (`{key}`) is empty"
        problems.append(RowProblem(f"no_{key}", what, "Fill it, or leave the row out"))
    return (text or "").strip()


def _date(spec: DataSpec, row: Row, problems: list[RowProblem]) -> str | None:
    """The date of the case, ISO 8601; None if the row has none."""
    text = (_single_text(row, spec.date, problems) or "").strip() if spec.date else ""
    if not text:
        return None
    day = iso_day(text)
    if day is None:
        what = f"column {quoted(spec.date or '')} (`date`) holds no date that can be read"
        problems.append(RowProblem("no_date", what, "Write dates like 2024-03-05, or leave `date` out of the study"))
    return day


def _subgroup(row: Row, column: str, problems: list[RowProblem]) -> str:
    return (_single_text(row, column, problems) or "").strip() or "not given"


def _own_split(spec: DataSpec, row: Row, problems: list[RowProblem]) -> Split | None:
    if not spec.split:
        return None
    text = _single_text(row, spec.split, problems)
    split = _SPLITS.get((text or "").strip().lower())
    if text is not None and split is None:
        detail = f"split {quoted_if_near(text, _SPLITS)} is not known"
        fix = "Write train, validation or test"
        problems.append(RowProblem("unknown_split", "the split is not known", fix, detail))
    return split


def _fields(spec: DataSpec, task: Task, row: Row, problems: list[RowProblem]) -> dict[str, str]:
    fields = {}
    for name in task.fields:
        column = spec.columns.get(name, name)
        text = _single_text(row, column, problems)
        if text is not None and not text.strip() and name != task.evidence:
            if spec.empty is None:
                fix = "Fill it, or say `empty: not given` in the study to have that written in its place"
                problems.append(RowProblem("empty_field", f"column {quoted(column)} (field `{name}`) is empty", fix))
            text = spec.empty
        fields[name] = without_separator(text or "")
    return fields


def _single_text(row: Row, column: str, problems: list[RowProblem]) -> str | None:
    cell = row.cells.get(column, "")
    if isinstance(cell, str):
        return cell
    what = f"column {quoted(column)} holds a list or object, a text was expected"
    problems.append(RowProblem("no_text", what, "Write it as one text"))
    return None


def _chat(spec: DataSpec, table: Table, row: Row, problems: list[RowProblem]) -> Chat | None:
    forms, columns = chat_forms(spec, table), chat_columns(spec)
    cells = {name: row.cells.get(column, "") for name, column in columns.items()}
    form = next((form for form in forms if all(cells[name] for name in form)), forms[0])
    try:
        return read_chat({name: cells[name] for name in form}, form)
    except ChatError as error:
        problems.append(RowProblem("chat_turns", str(error), "Correct this row"))
        return None


def _target(spec: DataSpec, task: Task, text: str | None, problems: list[RowProblem]) -> str:
    """The right answer after the mapping `labels`; for label tasks it must parse to one of the task's labels."""
    if text is None:
        return ""
    target = _mapped(spec, task, text.strip())
    if not target:
        problems.append(RowProblem("no_answer", "the answer is empty", "Fill it, or leave the row out"))
    elif task.answer.kind == "label" and not _gives_label(task, target):
        problems.append(_not_a_label(task, target))
    return target


def _rejected(spec: DataSpec, task: Task, row: Row, problems: list[RowProblem]) -> str | None:
    """The rejected answer of a row after the mapping `labels`; None if it has none."""
    text = (_single_text(row, spec.rejected, problems) or "").strip() if spec.rejected else ""
    if text and task.set_labels:
        return read_label_set(text, spec.labels, task, problems)
    text = _mapped(spec, task, text)
    if text and task.answer.kind == "label" and not _gives_label(task, text):
        one = _not_a_label(task, text)
        problems.append(replace(one, what=f"`rejected`: {one.what}", detail=f"`rejected`: {one.detail}"))
    return text or None


def _mapped(spec: DataSpec, task: Task, text: str) -> str:
    """An answer after the mapping `labels`: a label in the form that task files are read in, a text as it is."""
    mapped = spec.labels.get(composed(text), text)
    return composed(mapped) if task.answer.kind == "label" else mapped


def _gives_label(task: Task, target: str) -> bool:
    """Whether the target parses to a label; with `final_answer` it must contain the marker, as answers must."""
    return target in task.labels if task.answer.parser == "label" else task.parse(target) != INVALID


def _not_a_label(task: Task, target: str) -> RowProblem:
    cell, labels = quoted_if_near(target, task.labels), f"Labels are {listed(task.labels)}"
    if task.answer.parser == "final_answer":
        marker = task.answer.marker
        fix = f"End each answer with `{marker} <label>`, or set parser: label in the task. {labels}"
        what = f"does not end with `{marker}` and one of the task's labels"
        return RowProblem("unknown_label", f"the answer {what}", fix, f"the answer, {cell}, {what}")
    fix, near = f"{labels}; map others with `labels:` in the study", did_you_mean(target, task.labels)
    detail = f"label {cell} is not one of the task's"
    return RowProblem("unknown_label", "the label is not one of the task's", fix, detail, near)


def _duplicate_ids(spec: DataSpec, cases: Sequence[_Case]) -> list[Problem]:
    count = Counter(example.id for example, _ in cases)
    first_at: dict[str, str] = {}
    problems = []
    for example, where in cases:
        name = example.id
        if count[name] > 1 and name in first_at:
            fix = f"Give every case an id of its own, or drop `id: {spec.id}` to count rows instead"
            problems.append(Problem(where, f"id {quoted(name)} stands already in {first_at[name]}", fix))
        first_at.setdefault(name, where)
    return problems


def _fingerprint(examples: Sequence[Example]) -> str:
    """SHA-256 of the examples' content."""
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
        **({"about": dict(example.metadata)} if example.metadata else {}),
    }
