"""Preflight: validate the data against task, tokenizer and context length before any training."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from preceptor.data import _checks
from preceptor.data._finding import Finding
from preceptor.data._invalid_rows import InvalidRow, invalid_row_findings
from preceptor.data._lengths import Lengths, measure
from preceptor.data._named_answers import Named, check_named_answers, named_by_field
from preceptor.data._split import Splits
from preceptor.errors import Problem, printable
from preceptor.tasks import Example, Split, Task

SPLITS: tuple[Split, ...] = ("train", "validation", "test")
_LENGTH_ROWS = {f"tokens, {name}": name for name in ("shortest", "median", "p95", "longest")} | {
    "cases cut": "cases_cut"
}


@dataclass(frozen=True, slots=True)
class Counts:
    """Cases and patients of one split, and its cases per label (empty for text tasks)."""

    cases: int
    patients: int
    labels: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Preflight:
    """The result of preflight. `counts` and `lengths` are keyed by split."""

    task: str
    findings: tuple[Finding, ...]
    counts: Mapping[str, Counts]
    lengths: Mapping[str, Lengths]
    named: Mapping[str, Named] = field(default_factory=dict)
    """Field, made ones included -> how often it holds the label of its training case; empty for text tasks."""

    @property
    def fatal(self) -> list[Problem]:
        """The problems that prevent training, for `InputError(preflight.fatal)`."""
        return [one.problem() for one in self.findings if one.level == "fatal"]

    def to_json(self) -> dict[str, Any]:
        """JSON values for `preflight.json`: ids and numbers, never the text of a case."""
        return asdict(self) | {"findings": [one.to_json() for one in self.findings]}

    def render(self, console: Console) -> None:
        """Print the counts as a table and the findings."""
        console.print(_count_table(self))
        for one in sorted(self.findings, key=lambda one: one.level):
            colour = "red" if one.level == "fatal" else "yellow"
            console.print(f"[{colour}]{one.level}[/{colour}] {escape(str(one.problem()))}")
        if not self.findings:
            console.print("[green]nothing to put right[/green]")


def preflight(
    task: Task,
    splits: Splits,
    tokenizer: Any,
    max_length: int,
    refused: Sequence[InvalidRow] = (),
    views: Mapping[str, tuple[Task, Splits]] | None = None,
) -> Preflight:
    """Check every case of `splits` with the task's prompt; `refused` are the reader's invalid rows.

    views: name -> the task with that view's prompt, and the cases with the fields that were made for views.
    """
    parts: dict[Split, Sequence[Example]] = {name: getattr(splits, name) for name in SPLITS}
    findings = invalid_row_findings(refused)
    findings += _checks.check_sizes(parts)
    findings += _checks.check_patients(parts)
    for name, examples in parts.items():
        findings += _checks.check_cases(task, name, examples)
        findings += _checks.check_empty_sets(task, name, examples)
    findings += _checks.check_ids([example for examples in parts.values() for example in examples])
    findings += _checks.check_labels(task, parts)
    findings += _checks.check_leakage(parts)
    named = named_by_field(task, next((whole.train for _, whole in (views or {}).values()), parts["train"]))
    findings += check_named_answers(named)

    # Cases without the task's fields have no prompt; they are reported above, the others are still checked.
    usable = {
        name: [one for one in examples if not _checks.lacks_fields(task, one)] for name, examples in parts.items()
    }
    findings += _checks.check_template(task, tokenizer)
    lengths: dict[str, Lengths] = {}
    for name, examples in usable.items():
        lengths[name], by_length = measure(task, name, examples, tokenizer, max_length)
        findings += by_length
    for view, (seen, whole) in (views or {}).items():
        if seen.prompt == task.prompt:
            continue  # which was measured
        findings += [
            replace(one, where=f"view {view}, {one.where}")
            for name in SPLITS
            for one in measure(seen, name, getattr(whole, name), tokenizer, max_length)[1]
        ]
    return Preflight(task.name, tuple(findings), _count(task, parts), lengths, named)


def _count(task: Task, parts: Mapping[Split, Sequence[Example]]) -> dict[str, Counts]:
    return {
        name: Counts(len(examples), len({one.group for one in examples}), _checks.label_counts(task, examples))
        for name, examples in parts.items()
    }


def _count_table(result: Preflight) -> Table:
    table = Table(title=f"{escape(printable(result.task))}: what was read")
    for column in ("", *result.counts):
        table.add_column(column, justify="right" if column else "left")
    table.add_row("cases", *(str(one.cases) for one in result.counts.values()))
    table.add_row("patients", *(str(one.patients) for one in result.counts.values()))
    for label in next(iter(result.counts.values())).labels:
        table.add_row(f"  {escape(printable(label))}", *(str(one.labels[label]) for one in result.counts.values()))
    for what, name in _LENGTH_ROWS.items():
        # Without a case that fits nothing was measured, and 0 would be no length.
        table.add_row(what, *(str(getattr(one, name)) if one.total else "-" for one in result.lengths.values()))
    return table
