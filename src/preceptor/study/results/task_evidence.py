"""What a study found on one task with one model, as a conclusion needs it: looked up by arm."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean
from typing import TypeVar

from preceptor.study.results.schema import Cell, Contrast, TaskPart
from preceptor.study.run.failures import Failure

_Row = TypeVar("_Row", Cell, Failure)

UNREADABLE = 0.5
"""Above this share of unreadable answers, a gain over an arm may be no more than the form of the answer."""


@dataclass(frozen=True, slots=True)
class TaskEvidence:
    """Entries of `results.json` for one task and one model; `task` is the one of `study.tasks`.

    An arm stands in `cells` with the seeds that have answers, in `failed` with those that failed, or in both.
    """

    task: TaskPart
    model: str
    contrasts: Mapping[tuple[str, str], Contrast]
    cells: Mapping[str, Sequence[Cell]]
    failed: Mapping[str, Sequence[Failure]] = field(default_factory=dict)

    def contrast(self, a: str, b: str) -> Contrast | None:
        """Arm a minus arm b; None where the study does not compare them."""
        return self.contrasts.get((a, b))

    def lost(self, a: str, b: str) -> bool:
        """Whether the study would compare two arms, and could not because one of them failed."""
        known = self.cells.keys() | self.failed.keys()
        return (a, b) not in self.contrasts and {a, b} <= known and not {a, b}.isdisjoint(self.failed)

    def verdict(self, a: str, b: str) -> str | None:
        """The verdict on arm a against arm b; `lost` where one failed; None where the study does not compare them."""
        found = self.contrast(a, b)
        return found.verdict if found else "lost" if self.lost(a, b) else None

    @property
    def trained(self) -> list[str]:
        """The tuned arms of the study that are asked about, the simplest first."""
        return [arm for arm in ("sft", "sft+dpo") if arm in self.cells]

    @property
    def asked(self) -> tuple[str, str] | None:
        """The two arms that the study turns on: DPO against SFT, or SFT against the untouched model."""
        pairs = [("sft+dpo", "sft"), ("sft", "base"), ("sft", "base+shots")]
        return next((pair for pair in pairs if pair in self.contrasts or self.lost(*pair)), None)

    @property
    def question(self) -> Contrast | None:
        """The contrast that the study turns on; None where it compares no such arms, or one of them failed."""
        return self.contrasts.get(self.asked) if self.asked else None

    def invalid_rate(self, arm: str) -> float:
        """Share of the arm's answers that could not be read, the mean over seeds."""
        return fmean(cell.invalid_rate for cell in self.cells[arm])

    def length_ratio(self, arm: str) -> float | None:
        """How long the arm's texts are, over gold's, the mean over seeds; None for labels."""
        ratios = [cell.length_ratio for cell in self.cells[arm] if cell.length_ratio is not None]
        return fmean(ratios) if ratios else None

    def never_predicted(self, arm: str) -> list[str]:
        """Labels that occur and that the arm, in some seed, never gave."""
        missed = {label for cell in self.cells[arm] for label in cell.never_predicted}
        return [label for label in self.task.labels if label in missed]

    def only_label(self, arm: str) -> str | None:
        """The one label that the arm, in some seed, gave to every case that it gave a label to."""
        if len(self.task.labels) < 2:
            return None
        for found in (cell.confusion for cell in self.cells.get(arm, ()) if cell.confusion):
            given = [label for column, label in enumerate(found.labels) if any(row[column] for row in found.matrix)]
            if len(given) == 1:
                return given[0]
        return None

    def absent_labels(self) -> list[str]:
        """Labels of the task that no held-out case has."""
        found = next((cell.confusion for cells in self.cells.values() for cell in cells if cell.confusion), None)
        return [label for label, row in zip(found.labels, found.matrix, strict=True) if not any(row)] if found else []

    def only_the_form(self, arm: str) -> bool:
        """Whether the arm's gain over the base model may be no more than having learnt the form of the answer.

        So it is when most answers of the base model could not be read, and the base model with examples in its prompt,
        whose answers can be read, is not beaten too.
        """
        if "base" not in self.cells or self.invalid_rate("base") <= UNREADABLE:
            return False
        return self.verdict(arm, "base+shots") != "better"


def by_task_and_model(
    contrasts: Sequence[Contrast], cells: Sequence[Cell], tasks: Sequence[TaskPart], failed: Sequence[Failure] = ()
) -> list[TaskEvidence]:
    """What `results.json` holds, by task and model, in the order of the study."""
    found = []
    for task in tasks:
        rows: list[Cell | Failure] = [*cells, *failed]
        models = dict.fromkeys(row.model for row in rows if row.task == task.name)
        for model in models:
            of = (task.name, model)
            compared = {(one.a, one.b): one for one in contrasts if (one.task, one.model) == of}
            found.append(TaskEvidence(task, model, compared, _by_arm(cells, of), _by_arm(failed, of)))
    return found


def _by_arm(rows: Sequence[_Row], of: tuple[str, str]) -> dict[str, list[_Row]]:
    arms: dict[str, list[_Row]] = {}
    for row in rows:
        if (row.task, row.model) == of:
            arms.setdefault(row.arm, []).append(row)
    return arms
