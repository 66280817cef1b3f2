"""Everything that can be known to be wrong before an hour of training, found in seconds and told at once."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from preceptor.data import _checks
from preceptor.data._finding import Finding
from preceptor.data._lengths import Lengths, measure
from preceptor.data._refused import RefusedRow, left_out
from preceptor.data._split import Splits
from preceptor.errors import Problem, printable
from preceptor.tasks import Example, Split, Task

SPLITS: tuple[Split, ...] = ("train", "validation", "test")


@dataclass(frozen=True, slots=True)
class Counts:
    """One split: its cases, its patients, and how many cases carry each label (empty for free text)."""

    cases: int
    patients: int
    labels: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Preflight:
    """What was found. `counts` and `lengths` are keyed by split."""

    task: str
    findings: tuple[Finding, ...]
    counts: Mapping[str, Counts]
    lengths: Mapping[str, Lengths]

    @property
    def fatal(self) -> list[Problem]:
        """What must be put right before anything is trained; `InputError(preflight.fatal)` says all of it."""
        return [one.problem() for one in self.findings if one.level == "fatal"]

    def to_json(self) -> dict[str, Any]:
        """Plain values for `preflight.json`: ids and numbers, never the text of a case."""
        return {
            "task": self.task,
            "findings": [one.to_json() for one in self.findings],
            "counts": {split: asdict(one) for split, one in self.counts.items()},
            "lengths": {split: asdict(one) for split, one in self.lengths.items()},
        }

    def render(self, console: Console) -> None:
        """Show the counts as a table and the findings below it."""
        console.print(_count_table(self))
        for one in sorted(self.findings, key=lambda one: one.level):
            colour = "red" if one.level == "fatal" else "yellow"
            console.print(f"[{colour}]{one.level}[/{colour}] {escape(str(one.problem()))}")
        if not self.findings:
            console.print("[green]nothing to put right[/green]")


def preflight(
    task: Task, splits: Splits, tokenizer: Any, max_length: int, refused: Sequence[RefusedRow] = ()
) -> Preflight:
    """Look at every case of `splits` as `task` will show it to the model; `refused` are the reader's dropped cases."""
    parts: dict[Split, Sequence[Example]] = {name: getattr(splits, name) for name in SPLITS}
    findings = left_out(refused)
    findings += _checks.check_sizes(parts)
    findings += _checks.check_patients(parts)
    for name, examples in parts.items():
        findings += _checks.check_cases(task, name, examples)
    findings += _checks.check_ids([example for examples in parts.values() for example in examples])
    findings += _checks.check_labels(task, parts)
    findings += _checks.check_across(parts)

    # A case without the task's fields has no prompt; it was named above, and the rest can still be looked at.
    usable = {
        name: [one for one in examples if not _checks.lacks_fields(task, one)] for name, examples in parts.items()
    }
    findings += _checks.check_template(task, tokenizer)
    lengths: dict[str, Lengths] = {}
    for name, examples in usable.items():
        lengths[name], by_length = measure(task, name, examples, tokenizer, max_length)
        findings += by_length
    return Preflight(task.name, tuple(findings), _count(task, parts), lengths)


def _count(task: Task, parts: Mapping[Split, Sequence[Example]]) -> dict[str, Counts]:
    return {
        name: Counts(len(examples), len({one.group for one in examples}), _checks.label_counts(task, examples))
        for name, examples in parts.items()
    }


def _count_table(flight: Preflight) -> Table:
    table = Table(title=f"{escape(printable(flight.task))}: what was read")
    for column in ("", *flight.counts):
        table.add_column(column, justify="right" if column else "left")
    table.add_row("cases", *(str(one.cases) for one in flight.counts.values()))
    table.add_row("patients", *(str(one.patients) for one in flight.counts.values()))
    for label in next(iter(flight.counts.values())).labels:
        table.add_row(f"  {escape(printable(label))}", *(str(one.labels[label]) for one in flight.counts.values()))
    for row in ("shortest", "median", "p95", "longest"):
        table.add_row(f"tokens, {row}", *(str(getattr(one, row)) for one in flight.lengths.values()))
    table.add_row("cases cut", *(str(one.cases_cut) for one in flight.lengths.values()))
    return table
