"""What `results.json` says of a cell: one arm on one task with one seed."""

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, Field, model_validator

from preceptor.study.results.schema_values import STRICT, Count, Interval, NotNegative, Share, Unit
from preceptor.study.results.senses_schema import SenseFindings
from preceptor.study.results.snippet_schema import SnippetFigures

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
