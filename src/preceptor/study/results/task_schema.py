"""What `results.json` says of an output of the study: what was asked, of how many cases, what was found in them."""

from typing import Literal

from pydantic import BaseModel, Field

from preceptor.data import Named
from preceptor.study.results.rater_schema import HumanAgreement
from preceptor.study.results.schema_values import STRICT, Count, Interval, NotNegative, Share, Unit


class _Part(BaseModel):
    model_config = STRICT


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
