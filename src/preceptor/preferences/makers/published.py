"""The maker `published`: rejected answers that come with the data, such as a nurse's level that experts corrected."""

from collections.abc import Sequence

from preceptor.preferences.makers._maker import MadePairs, Pair, PairWork, Request, Setting
from preceptor.tasks import Example, Task

explanation = "given by the data"
settings: tuple[Setting, ...] = ()


def unsupported_reason(task: Task, examples: Sequence[Example]) -> str | None:
    """It needs cases with a rejected answer."""
    without = all(example.rejected is None for example in examples)
    return "it takes rejected answers from the data, and they bring none" if without else None


def expected_work(task: Task, example: Example, samples: int) -> PairWork:
    """None for the policy; the rejected answer is known."""
    return PairWork(length=len(example.rejected or example.target) / max(1, len(example.target)))


def make(request: Request) -> MadePairs:
    """The right answer over the one that the data reject."""
    pairs = [Pair(e.id, e.target, e.rejected, "published") for e in request.examples if e.rejected is not None]
    return MadePairs(pairs)
