"""What a way of answering is given, and what it gives back."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from preceptor.engine import Cost, Numerics
from preceptor.models import ModelSource, Policy, load_policy
from preceptor.study.cases import Prepared
from preceptor.study.spec.study import Study

Scores = Mapping[str, float]
"""Label -> how likely the arm finds it; a label that is missing has 0."""


@dataclass(frozen=True, slots=True)
class Snippet:
    """A piece of a case that a head weighed. weight: its share. drop: how much the log-probability of the arm's answer
    falls when it is left out, in nats; None where there is no other.
    """

    text: str = field(repr=False)
    weight: float
    drop: float | None


class OnBatch(Protocol):
    """Called after each batch with the answers' texts by the number of their case.

    label_ties: for how many of them several labels were equally likely, so that chance decided. scores: those of each
    answer, from an arm that gives them for every case. without_marker: for how many of them the model did not write the
    marker that a label follows, so that it was put there. snippets: those of each case, from an arm that weighs them.
    """

    def __call__(
        self,
        texts: dict[int, str],
        label_ties: int = 0,
        scores: Mapping[int, Scores] | None = None,
        without_marker: int = 0,
        snippets: Mapping[int, Sequence[Snippet]] | None = None,
    ) -> None:
        """Write them to disk."""


Answerer = Callable[[frozenset[int], OnBatch], None]
"""Answers every held-out case that is not done. Batches are always the same, so that a run that was killed goes on."""


@dataclass(frozen=True, slots=True)
class Answering:
    """What answers the cases. preparation: what it cost to make it. note: JSON values that stand beside the answers;
    it is read when all cases are answered, and may be complete only then.
    """

    answerer: Answerer
    preparation: Cost = field(default_factory=Cost)
    note: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class AnswerContext:
    """All that an arm's answers may depend on.

    settings: the block of the way of answering. numerics: those in which it answers. policy: the folder of the tuned
    policy; None for the untouched model. policy_key: names that policy.
    """

    study: Study
    settings: Any
    task: Prepared
    source: ModelSource
    numerics: Numerics
    seed: int
    policy: Path | None
    policy_key: str

    def load_policy(self) -> Policy:
        """The policy that answers."""
        return load_policy(self.source, self.policy, dtype=self.numerics.torch_dtype)
