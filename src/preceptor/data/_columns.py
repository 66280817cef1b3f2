"""The role of each column, and problems with missing or unknown columns."""

from collections.abc import Iterator

from preceptor.data._chat import CHAT_COLUMNS
from preceptor.data._header import describe_columns, meant_column
from preceptor.data._problems import did_you_mean, listed, quoted
from preceptor.data._spec import EACH_ROW, DataSpec
from preceptor.data._table import Table
from preceptor.errors import Problem
from preceptor.tasks import Task

_TARGETS = ("target", "label", "completion")


def column_problems(spec: DataSpec, task: Task, table: Table) -> Iterator[Problem]:
    """Every mismatch between spec, task and the file's columns, with the nearest name."""
    yield from _unknown_fields(spec, task, table)
    yield from _missing_columns(spec, task, table)
    if not spec.group:
        what = "nothing says which cases are one patient's"
        fix = f"Say `group: <column>`; without a patient column say `group: {EACH_ROW}`"
        yield Problem(str(table.path), what, f"{fix}. {describe_columns(table)}")
    if task.fields and not target_column(spec, table):
        fix = f"Say `target: <column>`. {describe_columns(table)}"
        yield Problem(str(table.path), f"none of the columns {listed(_TARGETS)} is there", fix)
    if not task.fields and not chat_forms(spec, table):
        forms = ", or ".join(" and ".join(f"`{name}`" for name in form) for form in CHAT_COLUMNS)
        fix = f"The file needs {forms}. {describe_columns(table)}"
        yield Problem(str(table.path), "no chat turns were found", fix)


def target_column(spec: DataSpec, table: Table) -> str:
    """The column of right answers; "" if there is none."""
    return spec.target or next((name for name in _TARGETS if name in table.columns), "")


def chat_columns(spec: DataSpec) -> dict[str, str]:
    """Standard name of a chat column -> column of this file."""
    renamed = {name: spec.columns.get(name, name) for form in CHAT_COLUMNS for name in form}
    return renamed | ({"completion": spec.target} if spec.target else {})


def chat_forms(spec: DataSpec, table: Table) -> list[tuple[str, ...]]:
    """Those of CHAT_COLUMNS whose columns all exist, in their order; several where a file holds pairs beside others."""
    columns = chat_columns(spec)
    forms = [form for form in CHAT_COLUMNS if not spec.target or "completion" in form]
    return [form for form in forms if all(columns[name] in table.columns for name in form)]


def _unknown_fields(spec: DataSpec, task: Task, table: Table) -> Iterator[Problem]:
    known = list(task.fields) or sorted(chat_columns(DataSpec(path="")))
    for name in spec.columns:
        if name not in known:
            fix = f"{did_you_mean(name, known)}Task `{task.name}` has {listed(known)}"
            yield Problem(f"{table.path}: columns", f"the task has no field {quoted(name)}", fix)


def _missing_columns(spec: DataSpec, task: Task, table: Table) -> Iterator[Problem]:
    for use, column in _named_columns(spec, task):
        if column not in table.columns:
            near = meant_column(column, table)
            each_row = f"Without a patient column say `group: {EACH_ROW}`. " if use == "group" else ""
            fix = f"{near}{each_row}{describe_columns(table)}"
            yield Problem(str(table.path), f"there is no column {quoted(column)} (`{use}`)", fix)


def _named_columns(spec: DataSpec, task: Task) -> Iterator[tuple[str, str]]:
    """(role, column) of every column that the spec or the task names."""
    for name in task.fields:
        yield name, spec.columns.get(name, name)
    if spec.rejected:
        yield "rejected", spec.rejected
    named = {use: getattr(spec, use) for use in ("target", "group", "id", "split", "date")}
    for use, column in (*named.items(), *(("subgroups", column) for column in spec.subgroups)):
        if column and (use, column) != ("group", EACH_ROW):
            yield use, column
