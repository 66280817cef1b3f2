"""The one declaration of `results.json`: study builds these classes, and report, ship, cli and trackers read them.

Fields stand in the order in which they are written. A field that older versions did not write has a default that means
"not known". Values are validated whether they are computed or read from a file.
"""

from functools import cached_property
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, Field, model_validator

from preceptor.data import Named
from preceptor.study.results.conclusion_schema import Conclusion, CouldHaveSeen, SpikeFinding
from preceptor.study.results.contrast_schema import Contrast, NotCompared
from preceptor.study.results.rater_schema import Human, HumanAgreement
from preceptor.study.results.schema_values import STRICT, Count, Interval, NotNegative, Share, Unit
from preceptor.study.results.senses_schema import SenseFindings
from preceptor.study.results.snippet_schema import SnippetFigures
from preceptor.study.run.failures import Failure
from preceptor.study.spec.arms import GENERATE, resolve

_LARGEST = 1e39
"""No number that training logs is larger: it would be beyond float32."""
Points = list[tuple[Annotated[int, Field(ge=0, lt=2**53)], Annotated[float, Field(ge=-_LARGEST, le=_LARGEST)]]]
"""A curve: (optimizer step, value) each."""


class _Part(BaseModel):
    model_config = STRICT


def _is_path(path: str) -> str:
    if "\0" in path:
        raise ValueError("this is no path")
    return path


class Model(_Part):
    """What was tuned."""

    name: str
    title: str


class Extra(_Part):
    """A metric shown beside the main one."""

    metric: str
    labels: list[str] = []


class Counts(_Part):
    """Cases of each split, and patients of the held-out one."""

    train: Count
    validation: Count
    test: Count
    groups_test: Count


class Smallest(_Part):
    """The smallest difference that shows with 80% power, when so many answers differ (or scores vary so much)."""

    assumed: NotNegative
    difference: NotNegative | None


class Reachable(_Part):
    """Whether `equivalent` can be reached at the margin."""

    assumed: NotNegative
    reachable: bool


class Power(_Part):
    """The smallest differences that the held-out cases show with 80% power, worked out before training.

    `kind`: for labels by the share of patients on whom just one arm is right, for scores by the standard deviation of a
    patient's difference. `together`: the same for all primary contrasts of the task at once, as a stage that is worth
    it needs; empty with one contrast, and in results of earlier versions.
    """

    patients: Count
    kind: Literal["discordance", "sd"]
    alpha: Share = 0.05
    smallest: list[Smallest] = []
    together: list[Smallest] = []
    equivalence: list[Reachable] | None = None


class Dates(_Part):
    """The first and the last day of the held-out cases, ISO 8601; their years after a purge."""

    first: str
    last: str


class Subgroup(_Part):
    """The held-out cases with one value in one column; `values`: arm -> its main metric there, the mean over seeds."""

    column: str
    value: str
    cases: Count
    patients: Count
    values: dict[str, Unit | None]


class InteractionRate(_Part):
    """Of all pairs of labels that are given together, the share that interacts; None where none are."""

    value: Unit | None
    ci: Interval


class InteractionsPart(_Part):
    """The user's table of `pairs` of labels that interact, and how often they are given together.

    unknown_names: names in the table that are no label, whose pairs are left out. labels_not_in_it: labels of which it
    says nothing. right_answers: the rate of the held-out cases' right answers; `arms`: of each arm's, all its seeds.
    """

    pairs: Count
    unknown_names: list[str]
    labels_not_in_it: list[str]
    right_answers: InteractionRate | None
    arms: dict[str, InteractionRate]


class SpikePart(_Part):
    """An error put into the training data on purpose: `text` behind the learned answer of a `share` of the cases."""

    text: str
    share: Share
    phrase: str
    """The text without what joins it to an answer: what is looked for."""
    metric: str
    """Counts the answers that hold the phrase."""


class ViewPart(_Part):
    """What arms with a view are shown: `words` of it in a held-out case, the mean, and in which share of the training
    cases it holds the case's own label; `by_chance`: in which it would if labels were exchanged among the cases.
    """

    name: str
    known: Literal["before", "after"]
    words: NotNegative
    label_share: Share
    by_chance: Share

    @property
    def names_the_answer(self) -> bool:
        """Whether it holds the label in so many cases that a reader of nothing else gains by it."""
        return Named(self.label_share, self.by_chance).is_much


class TaskPart(_Part):
    """One output of the study."""

    name: str = Field(pattern=r"^\w[\w.-]*$")
    title: str
    metric: str
    also: list[Extra] = []
    labels: list[str] = []
    """Of which an answer is one."""
    set_labels: list[str] = []
    """Of which an answer has several."""
    dangerous: list[str] = []
    margin: Unit | None = None
    synthetic: bool = False
    spike: SpikePart | None = None
    """None where the training data are as they were read."""
    counts: Counts
    dates: Dates | None = None
    subgroups: list[Subgroup] = []
    interactions: InteractionsPart | None = None
    """None where the study names no table of pairs that interact."""
    views: list[ViewPart] = []
    """Empty where every arm is shown the task's own prompt."""
    test_sha256: str | None = None
    looks: Count | None = None
    leakage: list[str] = []
    power: Power | None = None
    shots: dict[str, dict[str, Count]] = {}
    """Seed -> number of examples -> how many prompts of the arm with examples showed so many."""
    majority: Unit | None = None
    human_agreement: HumanAgreement | None = None

    @property
    def looked_at_before(self) -> bool:
        """Whether results on these held-out cases had been made before."""
        return self.looks is not None and self.looks > 1


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


class Cost(_Part):
    """What an arm's training took, added up over its stages; None where it was not measured."""

    seconds: NotNegative | None = None
    optimizer_steps: Count | None = None
    tokens_seen: Count | None = None
    tokens_computed: Count | None = None
    flops: NotNegative | None = None
    peak_memory_bytes: Count | None = None
    evaluation_flops: NotNegative | None = None
    """Those of `flops` by which a checkpoint was chosen, and nothing learned."""


class Use(_Part):
    """What using an arm takes: seconds for 1,000 cases, at the rate of the held-out ones, and the bytes of the weights
    that must be loaded for however many; None where no model of the study answers.
    """

    seconds: NotNegative
    model_bytes: Count | None = None


class Predictions(_Part):
    """Where a cell's answers lie in the run folder, and their SHA-256."""

    path: Annotated[str, AfterValidator(_is_path)]
    sha256: str


class PairFindings(_Part):
    """What was found in an arm's pairs before anything learned from them; `notes`: what gave no pair -> how often."""

    pairs: Count = 0
    makers: dict[str, Count] = {}
    identical: Count = 0
    rejected_right: Count = 0
    near_identical: Count = 0
    contradicting: Count = 0
    longer_chosen: Share | None = None
    notes: dict[str, Count] = {}
    label_ties: Count = 0
    """Pairs whose rejected label was as likely as another wrong one: chance decided."""
    order: Literal["given", "flipped", "random"] = "given"
    """Whether chosen and rejected were exchanged in all pairs, or in half of them: a control."""
    ordered_rightly: Share | None = None


class Confusion(_Part):
    """Rows are gold labels, columns predicted labels, the last column answers that could not be read."""

    labels: list[str]
    matrix: list[list[Count]]

    @model_validator(mode="after")
    def _as_wide_as_its_labels(self) -> Self:
        rows = len(self.labels)
        if len(self.matrix) != rows or any(len(row) != rows + 1 for row in self.matrix):
            raise ValueError("the matrix needs a row a label, and a column a label and one for invalid answers")
        return self


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

    @property
    def further_source(self) -> bool:
        """Whether one of its stages takes what it needs from another source than the study's first."""
        return any("@" in stage for stage in self.stages)


class MetricPart(_Part):
    """A metric in words."""

    name: str
    title: str
    explanation: str = ""


class Delivered(_Part):
    """How much training a cell's last stage was, and what it came to on validation data; see `Stage.delivered`.

    Figures `at_start` are those of the policy it went on from, the others those of the weights that were kept.
    """

    steps: Count
    dose: NotNegative
    kept_step: Count
    kept_dose: NotNegative
    eval_score_at_start: Unit | None = None
    eval_score: Unit | None = None
    eval_pair_accuracy_at_start: Unit | None = None
    eval_pair_accuracy: Unit | None = None
    eval_kl_at_start: float | None = None
    eval_kl: float | None = None


class Form(_Part):
    """Free greedy text on validation cases: of `cases`, the share that can be read as a label, and the share that says
    the label of the highest score, by which the arm answers.
    """

    cases: Count
    readable: Share
    agreement: Share


class LabelScoring(_Part):
    """How label scores became the answers: of each score, `tau` times the label's mean over training prompts was taken
    away; of those that the probabilities come from, `probabilities_tau` times.

    without_marker: held-out cases on which the model did not write the marker that a label follows, so that it was put
    there; None where no reasoning comes first. form: None where there was no validation case.
    """

    tau: Share
    probabilities_tau: Share
    without_marker: Count | None = None
    form: Form | None = None


class Cell(_Part):
    """One arm on one task with one seed. `model` is the study's; `own_model` names one of its `models`, where the arm
    has another one.
    """

    task: str
    model: str
    own_model: str | None = None
    arm: str
    seed: int
    metric: str
    value: Unit | None
    ci: Interval | None = None
    n: Count
    patients: Count | None = None
    invalid_rate: Share
    never_predicted: list[str] = []
    label_ties: Count = 0
    """Cases on which several labels were equally likely: chance decided."""
    label_scoring: LabelScoring | None = None
    """None where no label was scored: written answers, those of other ways, and all of versions that had no scores."""
    threshold: Share | None = None
    """The score from which a label was given, chosen on validation cases; None where an arm names its labels itself."""
    unknown_labels: Count = 0
    """Labels in its answers that the task does not have, all held-out cases together."""
    length_ratio: NotNegative | None = None
    """Mean characters of the answers over those of the gold texts; None for labels."""
    cost: Cost
    evaluation_seconds: NotNegative | None = None
    use: Use | None = None
    """None in results of earlier versions."""
    predictions: Predictions
    pairs: dict[str, Count] = {}
    pair_findings: PairFindings | None = None
    senses: SenseFindings | None = None
    """What a stage that learned senses of short forms found; None where none did, and in earlier versions."""
    curves: dict[str, dict[str, Points]] = {}
    learning: dict[str, dict[str, Count]] = {}
    """How many numbers each slot trained, by the kind of stage."""
    delivered: Delivered | None = None
    policy: str | None = None
    """The folder, in the run folder, of the tuned model that answered."""
    also: dict[str, Unit | None] = {}
    confusion: Confusion | None = None
    snippets: SnippetFigures | None = None
    """Of an arm whose head weighs snippets."""


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
    human: list[Human] = []
    clinician_seconds: dict[RatersWork, NotNegative] = {}

    @model_validator(mode="after")
    def _cells_belong_to_the_study(self) -> Self:
        tasks = {task.name for task in self.study.tasks}
        parts: list[Cell | Failure | LeftOut] = [*self.cells, *self.failed, *self.left_out]
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
