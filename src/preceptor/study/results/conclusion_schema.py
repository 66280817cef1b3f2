"""What follows from the contrasts in `results.json`: conclusions, what became of a spike, what could have been seen."""

from typing import Literal

from pydantic import BaseModel

from preceptor.study.results.schema_values import STRICT, NotNegative, Share, Unit


class _Part(BaseModel):
    model_config = STRICT


ConclusionKind = Literal[
    "dpo_worth_it",
    "sft_enough",
    "sft_not_settled",
    "dpo_not_delivered",
    "could_not_have_seen",
    "simpler_is_better",
    "names_the_answer",
    "base_enough",
    "sft_worth_it",
    "dpo_harms",
    "not_enough_cases",
    "descriptive",
    "unsettled",
]
Recommendation = Literal["do not deploy", "pilot silently", "more cases", "more seeds"]
ControlState = Literal["passed", "failed", "not_run"]


class CouldHaveSeen(_Part):
    """Whether a further stage's gain could have been seen on a task; see the function of that name.

    steps, dose: up to the weights that were kept, means over seeds. pair_accuracy: share of validation pairs in the
    right order, before and after. None: not known.
    """

    task: str
    model: str
    control: ControlState
    steps: NotNegative | None = None
    dose: NotNegative | None = None
    answers_changed: Share | None = None
    pair_accuracy: tuple[Unit, Unit] | None = None
    delivered: bool | None = None
    settled: bool | None = None
    smallest_detectable: NotNegative | None = None
    sentence: str


class Conclusion(_Part):
    """What a task's contrasts come to."""

    task: str
    model: str
    conclusion: ConclusionKind
    sentence: str
    recommendation: Recommendation
    reason: str = ""
    """What decided the recommendation."""
    warnings: list[str] = []


SpikeConclusion = Literal["preferences", "corrections", "task_lost", "nothing", "not_learned", "open"]
"""What removed an error that the training data had on purpose."""


class SpikeShare(_Part):
    """The share of an arm's held-out answers with the error, the mean over seeds, and its 95% interval (Wilson)."""

    arm: str
    share: Unit
    ci: tuple[Unit, Unit]

    @property
    def low(self) -> float:
        """The lower bound."""
        return self.ci[0]

    @property
    def high(self) -> float:
        """The upper bound."""
        return self.ci[1]


class SpikeFinding(_Part):
    """What became of a task's spike, in numbers and in sentences: whether SFT learned the task, how many answers hold
    the error, what may be said of that, and what this size cannot tell.
    """

    task: str
    model: str
    shares: list[SpikeShare]
    effective_patients: NotNegative
    """Of how many independent cases the intervals are."""
    conclusion: SpikeConclusion
    learned: str
    held: str
    sentence: str
    scope: str
