"""What a maker is asked: cases that are to get pairs, and what it may use."""

from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from preceptor.chat_server import ChatServer
from preceptor.engine import Numerics
from preceptor.models import Policy
from preceptor.progress import Advance, quiet
from preceptor.tasks import Example, Task

Score = Callable[[str, Example], float]
"""How good an answer to a case is, between 0 and 1: the task's metric for one case."""


@dataclass(frozen=True, slots=True)
class Request:
    """Cases of one task with the SFT policy they are asked of; prompts[i] are the token ids of examples[i].

    `samples` and `temperature` are those of answers that are drawn. `judge`, `judged` (the file in which what it says
    is kept as it comes) and `votes` (the store) are needed by the makers of that name only.
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
    judge: ChatServer | None = None
    judged: Path | None = None
    votes: Path | None = None
    advance: Advance = quiet

    def without(self, ids: Container[str]) -> "Request":
        """The same for the cases that are not among `ids`."""
        left = [i for i, example in enumerate(self.examples) if example.id not in ids]
        return replace(self, examples=[self.examples[i] for i in left], prompts=[self.prompts[i] for i in left])
