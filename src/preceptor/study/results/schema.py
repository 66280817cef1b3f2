"""The one declaration of `results.json`: study builds these classes, and report, ship, cli and trackers read them.

Fields stand in the order in which they are written. A field that older versions did not write has a default that means
"not known". Values are validated whether they are computed or read from a file.
"""

from functools import cached_property
from typing import Literal, Self

from pydantic import BaseModel, Field, model_validator

from preceptor.study.results.cell_schema import Cell
from preceptor.study.results.conclusion_schema import Conclusion, CouldHaveSeen, SpikeFinding
from preceptor.study.results.contrast_schema import Contrast, NotCompared
from preceptor.study.results.outcome_schema import OutcomeContrast, OutcomePart, OutcomeValue
from preceptor.study.results.rater_schema import Human
from preceptor.study.results.schema_values import STRICT, NotNegative
from preceptor.study.results.task_schema import TaskPart
from preceptor.study.run.failures import Failure
from preceptor.study.spec.arms import GENERATE, resolve


class _Part(BaseModel):
    model_config = STRICT


class Model(_Part):
    """What was tuned."""

    name: str
    title: str


class Endpoint(_Part):
    """The server that the arm of that name asked."""

    url: str
    model: str


class StudyPart(_Part):
    """What was asked, of which model, with which arms."""

    name: str
    question: str
    model: Model
    models: dict[str, Model] = {}
    """The further models that arms have, by their names in the study."""
    endpoint: Endpoint | None = None
    seeds: list[int] = Field(min_length=1)
    arms: list[str] = Field(min_length=1)
    makers: list[str] = []
    """Where rejected answers come from, the first those of all arms without a source of their own; empty where whatever
    works made them."""
    tasks: list[TaskPart] = Field(min_length=1)


class Design(_Part):
    """What was fixed before the first prediction."""

    sha256: str
    frozen: str
    primary: list[tuple[str, str]] = []
    margins: dict[str, float | None] = {}
    changed: bool = False


class ArmPart(_Part):
    """An arm in words. `phrase`: how it is called within a sentence; `stages`: names in order, none when untouched."""

    name: str
    title: str
    phrase: str
    explanation: str = ""
    stages: tuple[str, ...] = ()
    trained: bool = False
    model: str | None = None
    """The name of its model among the study's `models`; None for the study's."""
    answer: str = GENERATE
    control_of: str | None = None
    """The arm whose compute its last stage is given."""
    view: str | None = None
    """What it is shown, one of the task's views; None: the task's prompt."""
    per_label: int | None = None
    """With how many training cases of each label it does; None: with all."""

    @property
    def further_source(self) -> bool:
        """Whether one of its stages takes what it needs from another source than the study's first."""
        return any("@" in stage for stage in self.stages)


class MetricPart(_Part):
    """A metric in words."""

    name: str
    title: str
    explanation: str = ""


class LeftOut(_Part):
    """An arm that a task goes without, because it cannot answer it."""

    task: str
    arm: str
    reason: str


RatersWork = Literal["gold", "pairs", "held_out"]
"""What clinicians worked at: gold labels, votes on pairs, scores of held-out answers."""


class Results(_Part):
    """The whole of `results.json`."""

    study: StudyPart
    exploratory: bool = False
    design: Design | None = None
    versions: dict[str, str]
    created: str
    command: str
    made_from: dict[str, str] = {}
    """File of the run folder -> its SHA-256: what the results are results of."""
    arms: list[ArmPart] = []
    metrics: list[MetricPart] = []
    cells: list[Cell]
    failed: list[Failure] = []
    """Empty in results of versions that ended a study at the first failure."""
    left_out: list[LeftOut] = []
    contrasts: list[Contrast]
    not_compared: list[NotCompared] = []
    conclusions: list[Conclusion] = []
    spikes: list[SpikeFinding] = []
    could_have_seen: list[CouldHaveSeen] = []
    outcomes: list[OutcomePart] = []
    """What arms were asked beside their task."""
    outcome_values: list[OutcomeValue] = []
    outcome_contrasts: list[OutcomeContrast] = []
    human: list[Human] = []
    clinician_seconds: dict[RatersWork, NotNegative] = {}

    @model_validator(mode="after")
    def _cells_belong_to_the_study(self) -> Self:
        tasks = {task.name for task in self.study.tasks}
        parts: list[Cell | Failure | LeftOut | OutcomeValue]
        parts = [*self.cells, *self.failed, *self.left_out, *self.outcome_values]
        for one in parts:
            if one.task not in tasks or one.arm not in self.study.arms:
                raise ValueError("a cell belongs to a task or an arm that the study does not have")
        for found in self.spikes:
            if found.task not in tasks or not {one.arm for one in found.shares} <= {*self.study.arms}:
                raise ValueError("a spike belongs to a task or an arm that the study does not have")
        return self

    def of_task(self, task: str) -> list[Cell]:
        """The task's cells in the order of the arms, then seeds."""
        arms = self.study.arms
        return sorted((c for c in self.cells if c.task == task), key=lambda c: (arms.index(c.arm), c.seed))

    def of_arm(self, task: str, arm: str) -> list[Cell]:
        """The cells of one arm on one task, one a seed."""
        return [cell for cell in self.of_task(task) if cell.arm == arm]

    def failed_of(self, task: str) -> list[Failure]:
        """The task's cells that failed, in the order of the arms, then seeds."""
        arms = self.study.arms
        return sorted((f for f in self.failed if f.task == task), key=lambda f: (arms.index(f.arm), f.seed))

    def not_compared_of(self, task: str) -> list[NotCompared]:
        """The task's contrasts that are missing because of what failed, primary ones first."""
        return sorted((c for c in self.not_compared if c.task == task), key=lambda c: c.family != "primary")

    def contrasts_of(self, task: str) -> list[Contrast]:
        """The task's contrasts, primary ones first."""
        return sorted((c for c in self.contrasts if c.task == task), key=lambda c: c.family != "primary")

    def conclusions_of(self, task: str) -> list[Conclusion]:
        """What the task's contrasts come to, one a model; empty in results of older versions."""
        return [conclusion for conclusion in self.conclusions if conclusion.task == task]

    def spike_of(self, task: str) -> SpikeFinding | None:
        """What became of the task's spike; None where it has none."""
        return next((found for found in self.spikes if found.task == task), None)

    def arm(self, name: str) -> ArmPart:
        """The arm in words; of one that these results do not describe, what follows from its name."""
        known = next((arm for arm in self._described if arm.name == name), None)
        return known or ArmPart(name=name, title=name, phrase=name)

    @cached_property
    def _described(self) -> list[ArmPart]:
        """The arms of the study in words: older versions left them out, and their arms are what their names say."""
        if {arm.name for arm in self.arms} >= set(self.study.arms):
            return self.arms
        try:
            parsed = resolve(self.study.arms, {}).values()
        except (ValueError, KeyError):  # a stage kind that is no longer there
            return self.arms
        return [*self.arms, *(ArmPart.model_validate(arm, from_attributes=True) for arm in parsed)]

    def model_of(self, arm: str) -> Model:
        """What an arm's answers come from, or were tuned from."""
        return self.study.models.get(self.arm(arm).model or "", self.study.model)

    @property
    def older(self) -> bool:
        """Whether a version wrote this that knew neither margins nor conclusions."""
        return self.design is None
