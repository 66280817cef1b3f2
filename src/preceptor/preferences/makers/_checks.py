"""What is found in pairs before anything learns from them: some teach nothing, some teach what is wrong."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from preceptor.files import digest
from preceptor.preferences._request import Score
from preceptor.preferences.makers._pair import Pair
from preceptor.tasks import Example, Task


@dataclass(frozen=True, slots=True)
class PairFindings:
    """What was found in pairs. `pairs` were kept, by `maker`; all but the two dropped kinds are about those.

    identical: dropped, both answers are the same; rejected_right: dropped, the rejected answer is as good as the right
    one by the task's metric; near_identical: the two differ in case, space or punctuation alone; contradicting: what
    one pair chooses, another of the same prompt rejects; longer_chosen: of the pairs whose answers differ in length,
    the share in which the longer one is chosen, None where none differ.
    """

    pairs: int
    makers: dict[str, int]
    identical: int
    rejected_right: int
    near_identical: int
    contradicting: int
    longer_chosen: float | None


def look_at(
    pairs: Sequence[Pair], examples: Sequence[Example], task: Task, score: Score
) -> tuple[list[Pair], PairFindings]:
    """The pairs that are worth learning from, and what was found in all of them."""
    example_of = {example.id: example for example in examples}
    different = [pair for pair in pairs if pair.chosen != pair.rejected]
    kept = [pair for pair in different if not _rejects_what_is_right(pair, example_of[pair.example_id], score)]
    findings = PairFindings(
        pairs=len(kept),
        makers=dict(sorted(Counter(pair.origin for pair in kept).items())),
        identical=len(pairs) - len(different),
        rejected_right=len(different) - len(kept),
        near_identical=sum(_bare(pair.chosen) == _bare(pair.rejected) for pair in kept),
        contradicting=_contradicting(kept, example_of, task),
        longer_chosen=_longer_chosen(kept),
    )
    return kept, findings


def _rejects_what_is_right(pair: Pair, example: Example, score: Score) -> bool:
    return score(pair.rejected, example) >= score(example.target, example)


def _bare(text: str) -> str:
    """`text` without what hardly anybody reads; a sign before a digit stays, as in `0.5`."""
    return " ".join(re.sub(r"""[.,;:!?"'`*_()\[\]](?!\d)""", " ", text.casefold()).split())


def _contradicting(pairs: Sequence[Pair], example_of: dict[str, Example], task: Task) -> int:
    """Pairs whose chosen answer another pair of the same prompt rejects, or the reverse."""
    prompts = [digest(task.messages(example_of[pair.example_id])) for pair in pairs]
    chosen = {(prompt, _bare(pair.chosen)) for prompt, pair in zip(prompts, pairs, strict=True)}
    rejected = {(prompt, _bare(pair.rejected)) for prompt, pair in zip(prompts, pairs, strict=True)}
    both = chosen & rejected
    return sum(
        (prompt, _bare(pair.chosen)) in both or (prompt, _bare(pair.rejected)) in both
        for prompt, pair in zip(prompts, pairs, strict=True)
    )


def _longer_chosen(pairs: Sequence[Pair]) -> float | None:
    differ = [pair for pair in pairs if len(pair.chosen) != len(pair.rejected)]
    return sum(len(pair.chosen) > len(pair.rejected) for pair in differ) / len(differ) if differ else None
