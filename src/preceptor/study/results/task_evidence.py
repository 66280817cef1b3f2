"""What a study found on one task with one model, as a conclusion needs it: looked up by arm."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import fmean
from typing import TypeVar

from preceptor.study.results.cell_schema import Cell
from preceptor.study.results.contrast_schema import Contrast
from preceptor.study.results.task_schema import TaskPart, ViewPart
from preceptor.study.run.failures import Failure
from preceptor.study.spec.arms import GENERATE, Arm, comparator, control, phrases, treatment
from preceptor.study.spec.found import find_answer

_Row = TypeVar("_Row", Cell, Failure)

UNREADABLE = 0.5
"""Above this share of unreadable answers, a gain over an arm may be no more than the form of the answer."""


@dataclass(frozen=True)
class TaskEvidence:
    """Entries of `results.json` for one task and one model; `arms` are all of the study's by name.

    An arm stands in `cells` with the seeds that have answers, in `failed` with those that failed, or in both.
    """

    task: TaskPart
    model: str
    contrasts: Mapping[tuple[str, str], Contrast]
    cells: Mapping[str, Sequence[Cell]]
    failed: Mapping[str, Sequence[Failure]]
    arms: Mapping[str, Arm]

    def contrast(self, a: str, b: str) -> Contrast | None:
        """Arm a minus arm b; None where the study does not compare them."""
        return self.contrasts.get((a, b))

    def lost(self, a: str, b: str) -> bool:
        """Whether the study would compare two arms, and could not because one of them failed."""
        known = self.cells.keys() | self.failed.keys()
        return (a, b) not in self.contrasts and {a, b} <= known and not {a, b}.isdisjoint(self.failed)

    def verdict(self, a: str, b: str) -> str | None:
        """The verdict on arm a against arm b, whichever of the two the study put first.

        `lost` where one failed; None where the study does not compare them.
        """
        if found := self.contrast(a, b):
            return found.verdict
        if found := self.contrast(b, a):
            return {"better": "worse", "worse": "better"}.get(found.verdict, found.verdict)
        return "lost" if self.lost(a, b) or self.lost(b, a) else None

    def view(self, arm: str) -> ViewPart | None:
        """What an arm is shown; None where it is the task's own prompt."""
        return next((one for one in self.task.views if one.name == self.arms[arm].view), None)

    @cached_property
    def phrases(self) -> dict[str, str]:
        """How each arm is called within a sentence."""
        return phrases(self.arms)

    @cached_property
    def _line(self) -> list[Arm]:
        """The treatment and the trained arms that it goes on from, the one with the fewest stages first."""
        line: list[Arm] = []
        arm = treatment(self.arms)
        while arm is not None and arm.trained:
            line.insert(0, arm)
            arm = comparator(arm, self.arms)
        return line

    @property
    def trained(self) -> list[str]:
        """The trained arms that the study asks about and that have answers, the one with the fewest stages first."""
        return [arm.name for arm in self._line if arm.name in self.cells]

    @property
    def tuned(self) -> list[str]:
        """The trained arms that the study asks about, and the control of its treatment."""
        last = control(self._line[-1], self.arms) if self._line else None
        return [arm.name for arm in (*self._line, last) if arm]

    @cached_property
    def untouched(self) -> list[str]:
        """The arms in which the untouched model answers, that of greedy generation first."""
        found = [arm for arm in self.arms.values() if not arm.trained and find_answer(arm.answer).asks_policy]
        return [arm.name for arm in sorted(found, key=lambda arm: arm.answer != GENERATE)]

    @property
    def base(self) -> str | None:
        """The arm in which the untouched model answers by greedy generation, as trained arms do."""
        return next((name for name in self.untouched if self.arms[name].answer == GENERATE), None)

    @property
    def others(self) -> list[str]:
        """The arms in which another model answers, or none."""
        return [arm.name for arm in self.arms.values() if not arm.trained and not find_answer(arm.answer).asks_policy]

    @property
    def simpler(self) -> list[str]:
        """The simpler ways that its models are compared with: without a language model, or with a small encoder."""
        without = [name for name in self.others if not find_answer(self.arms[name].answer).language_model]
        return [*without, *(arm.name for arm in self.arms.values() if arm.simpler)]

    def control(self, arm: str) -> str | None:
        """The arm that is given as much compute without the last stage of `arm`; None where the study has none."""
        found = control(self.arms[arm], self.arms)
        return found.name if found else None

    def begun(self, arm: str) -> str:
        """The arm that a control goes on from; any other arm itself."""
        found = comparator(self.arms[arm], self.arms) if self.arms[arm].control_of else None
        return found.name if found else arm

    def last_stage(self, arm: str) -> str:
        """What is said to be worth it, or not, where an arm is judged: its last stage, `DPO`."""
        return self.arms[arm].title.rsplit("+", 1)[-1]

    @property
    def asked(self) -> tuple[str, str] | None:
        """The two arms that the study turns on: the treatment against its comparator, else one stage against none."""
        pairs = [(a.name, b.name) for b, a in zip(self._line, self._line[1:], strict=False)][::-1]
        if self._line and len(self._line[0].stages) == 1:
            pairs += [(self._line[0].name, other) for other in self.untouched]
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
        return [label for label in (*self.task.labels, *self.task.set_labels) if label in missed]

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
        base = self.base
        if base is None or base not in self.cells or self.invalid_rate(base) <= UNREADABLE:
            return False
        return not any(self.verdict(arm, other) == "better" for other in self.untouched if other != base)


def by_task_and_model(
    contrasts: Sequence[Contrast],
    cells: Sequence[Cell],
    tasks: Sequence[TaskPart],
    arms: Mapping[str, Arm],
    failed: Sequence[Failure] = (),
) -> list[TaskEvidence]:
    """What `results.json` holds, by task and model, in the order of the study."""
    found = []
    for task in tasks:
        rows: list[Cell | Failure] = [*cells, *failed]
        models = dict.fromkeys(row.model for row in rows if row.task == task.name)
        for model in models:
            of = (task.name, model)
            compared = {(one.a, one.b): one for one in contrasts if (one.task, one.model) == of}
            found.append(TaskEvidence(task, model, compared, _by_arm(cells, of), _by_arm(failed, of), arms))
    return found


def _by_arm(rows: Sequence[_Row], of: tuple[str, str]) -> dict[str, list[_Row]]:
    arms: dict[str, list[_Row]] = {}
    for row in rows:
        if (row.task, row.model) == of:
            arms.setdefault(row.arm, []).append(row)
    return arms
