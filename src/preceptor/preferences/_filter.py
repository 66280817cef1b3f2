"""Pairs that teach nothing, or something wrong, are dropped before training; what else is doubtful is counted."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from preceptor.files import digest
from preceptor.preferences.makers._maker import Pair, Score
from preceptor.tasks import Example, Task


@dataclass(frozen=True, slots=True)
class PairReport:
    """Counts of a set of pairs. `pairs` remain, by `makers`; all counts but those of dropped pairs are about these.

    identical: dropped, both answers are the same; rejected_right: dropped, the rejected answer scores as well as the
    right one by the task's metric; near_identical: the two differ only in case, whitespace or punctuation;
    contradicting: pairs whose chosen answer is rejected by another pair of the same prompt, or the reverse;
    longer_chosen: share of pairs that choose the longer answer, of those with answers of unequal length; None if none.
    """

    pairs: int
    makers: dict[str, int]
    identical: int
    rejected_right: int
    near_identical: int
    contradicting: int
    longer_chosen: float | None


def filter_pairs(
    pairs: Sequence[Pair], examples: Sequence[Example], task: Task, score: Score
) -> tuple[list[Pair], PairReport]:
    """The pairs to train on, and a report on all of them. `examples` hold every pair's case."""
    example_of = {example.id: example for example in examples}
    different = [pair for pair in pairs if pair.chosen != pair.rejected]
    with_examples = [(pair, example_of[pair.example_id]) for pair in different]
    remaining = [one for one, example in with_examples if score(one.rejected, example) < score(example.target, example)]
    report = PairReport(
        pairs=len(remaining),
        makers=dict(sorted(Counter(pair.origin for pair in remaining).items())),
        identical=len(pairs) - len(different),
        rejected_right=len(different) - len(remaining),
        near_identical=sum(_normalised(pair.chosen) == _normalised(pair.rejected) for pair in remaining),
        contradicting=_contradicting(remaining, example_of, task),
        longer_chosen=_longer_chosen(remaining),
    )
    return remaining, report


def _normalised(text: str) -> str:
    """Lower case, single spaces, no punctuation; a mark before a digit stays, as in `0.5`."""
    return " ".join(re.sub(r"""[.,;:!?"'`*_()\[\]](?!\d)""", " ", text.casefold()).split())


def _contradicting(pairs: Sequence[Pair], example_of: dict[str, Example], task: Task) -> int:
    """Pairs whose chosen answer another pair of the same prompt rejects, or the reverse."""
    prompts = [digest(task.messages(example_of[pair.example_id])) for pair in pairs]
    chosen = [(prompt, _normalised(pair.chosen)) for prompt, pair in zip(prompts, pairs, strict=True)]
    rejected = [(prompt, _normalised(pair.rejected)) for prompt, pair in zip(prompts, pairs, strict=True)]
    both = set(chosen) & set(rejected)
    return sum(bool({*answers} & both) for answers in zip(chosen, rejected, strict=True))


def _longer_chosen(pairs: Sequence[Pair]) -> float | None:
    unequal = [pair for pair in pairs if len(pair.chosen) != len(pair.rejected)]
    return sum(len(pair.chosen) > len(pair.rejected) for pair in unequal) / len(unequal) if unequal else None
