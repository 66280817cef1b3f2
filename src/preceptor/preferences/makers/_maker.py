"""What a maker of preference pairs is, what it is given, and what it returns."""

from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, Protocol

from preceptor.chat_server import ChatServer
from preceptor.engine import Cost, Numerics
from preceptor.models import Policy
from preceptor.progress import Advance, quiet
from preceptor.tasks import Example, Task

Score = Callable[[str, Example], float]
"""The task's metric for one answer to one case, between 0 and 1."""

ChosenFrom = Literal["samples", "gold"]
"""What stands as the chosen answer beside a sampled one: the best sample, or the right answer."""
Setting = Literal[
    "samples", "temperature", "chosen_from", "min_gap", "min_score", "max_length_difference", "judge", "votes"
]
"""A setting of the study that pairs may depend on: of `pairs`, or the study's own."""


@dataclass(frozen=True, slots=True)
class Request:
    """Cases of one task with the SFT policy; prompts[i] are the token ids of examples[i].

    `samples` answers a case are sampled at `temperature`. Of a pair that is made by the task's metric, the chosen
    answer scores at least `min_score`, and `min_gap` more than the rejected one; its length in characters differs by at
    most the share `max_length_difference` of the rejected one's (None: any length).

    `judge` is a server, `judgement_log` the file in which its judgements are recorded, `votes` the store of raters'
    votes; only makers with such a setting need them.
    """

    task: Task
    examples: Sequence[Example] = field(repr=False)
    prompts: Sequence[list[int]] = field(repr=False)
    score: Score
    policy: Policy
    numerics: Numerics
    seed: int
    samples: int = 4
    temperature: float = 1.0
    chosen_from: ChosenFrom = "samples"
    min_gap: float = 0.0
    min_score: float = 0.0
    max_length_difference: float | None = None
    judge: ChatServer | None = None
    judgement_log: Path | None = None
    votes: Path | None = None
    advance: Advance = quiet

    def without(self, ids: Container[str]) -> "Request":
        """The same request for the cases whose ids are not in `ids`."""
        rest = [i for i, example in enumerate(self.examples) if example.id not in ids]
        return replace(self, examples=[self.examples[i] for i in rest], prompts=[self.prompts[i] for i in rest])


@dataclass(frozen=True, slots=True)
class Pair:
    """Two answers to the case `example_id`; `origin` names the maker of the rejected one. Its `repr` shows no text."""

    example_id: str
    chosen: str = field(repr=False)
    rejected: str = field(repr=False)
    origin: str


@dataclass(frozen=True, slots=True)
class MadePairs:
    """The pairs of a request, and what they cost. `notes`: why cases have no pair -> how many.

    label_ties: pairs whose rejected label was exactly as likely as another wrong one, so that chance decided.
    """

    pairs: list[Pair]
    cost: Cost = field(default_factory=Cost)
    notes: dict[str, int] = field(default_factory=dict)
    label_ties: int = 0


@dataclass(frozen=True, slots=True)
class PairWork:
    """The policy's expected work for one pair, and the size of the rejected answer, from which the plan is made.

    samples: answers generated. labels: wrong labels scored. length: tokens of the rejected answer over those of the
    right one. shared: share of the right answer's tokens that the rejected one begins with; 1: all but a final label.
    """

    samples: int = 0
    labels: int = 0
    length: float = 1.0
    shared: float = 0.0


def supports_all(task: Task, examples: Sequence[Example]) -> str | None:
    """The `unsupported_reason` of a maker that can make pairs of any case."""
    return None


class Maker(Protocol):
    """A module in `makers/`; its file name is the maker's name, and the `origin` of its pairs.

    It may have `swaps_labels = True`, where its pairs for a task of bare labels are the right label over a wrong one of
    the policy's, and so say no more than the right label does.
    """

    explanation: str
    """What its rejected answers are, in words that continue "Rejected answers were"; `{model}` is the judge's model."""
    settings: tuple[Setting, ...]
    """The settings of the study that its pairs depend on; `judge` and `votes` are then required."""

    def unsupported_reason(self, task: Task, examples: Sequence[Example]) -> str | None:
        """Why it can make no pair of these cases; None where it can. Asked of single cases too."""

    def expected_work(self, task: Task, example: Example, samples: int) -> PairWork:
        """The work of one pair, with `samples` as in `Request`."""

    def make(self, request: Request) -> MadePairs:
        """The pairs, in the order of the examples; cases for which none can be made are left out.

        The same request makes the same pairs, and a case's pairs do not depend on the other cases.
        """
