"""The maker `votes`: the answer that raters preferred on the labelling page over the other."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from preceptor.preferences.labelling import read_round
from preceptor.preferences.labelling._consensus import Settled, settle
from preceptor.preferences.labelling._items import case_fields, is_of, item_id
from preceptor.preferences.makers._maker import MadePairs, Pair, PairWork, Request, Setting, supports_all
from preceptor.tasks import INVALID, Example, Task

explanation = "the one of two answers that raters found worse"
settings: tuple[Setting, ...] = ("votes",)
unsupported_reason = supports_all

_WITHOUT_WINNER = {"tie": "ties", "both_bad": "both bad", None: "in dispute"}


def expected_work(task: Task, example: Example, samples: int) -> PairWork:
    """None for the policy; the answers are in the store."""
    return PairWork()


def make(request: Request) -> MadePairs:
    """The `voted_pairs` of the request's cases."""
    assert request.votes is not None
    return voted_pairs(request.votes, request.task, request.examples)


def voted_pairs(store: Path, task: Task, examples: Sequence[Example]) -> MadePairs:
    """The pairs that the consensus of raters gives for these training cases, in the order of `examples`.

    Chosen is the preferred answer, or the ideal one that a rater wrote; an ideal answer where both were bad is chosen
    over both. Cases without votes are left out. `notes` counts cases without a pair: `ties`, `both bad`, `in dispute`,
    `case changed since`, and votes on cases of this task that are not among `examples`. Raises `InputError` when there
    is no store.
    """
    consensus = _consensus(store, task)
    notes = Counter[str]()
    pairs: list[Pair] = []
    for example in examples:
        if one := consensus.pop(item_id(task, example), None):
            changed = one.item.case != case_fields(task, example)
            made = [] if changed else _pairs(task, example, one)
            pairs += made
            if not made:
                notes["case changed since" if changed else _WITHOUT_WINNER.get(one.choice, "the same answer")] += 1
    if consensus:
        notes["not a training case"] = len(consensus)
    return MadePairs(pairs, notes=dict(sorted(notes.items())))


def _consensus(path: Path, task: Task) -> dict[str, Settled]:
    """Item id -> its consensus, for the pairs of this task."""
    settled = settle(*read_round(path))
    return {one.item.id: one for one in settled if one.item.kind == "pair" and is_of(task, one.item)}


def _pairs(task: Task, example: Example, one: Settled) -> list[Pair]:
    if one.choice is None:
        return []
    answers = [answer.text for answer in one.item.answers]
    winner = {"a": 0, "b": 1}.get(one.choice)
    ideal = one.ideal.strip() if one.ideal and task.parse(one.ideal) != INVALID else None
    chosen = ideal or (answers[winner] if winner is not None else None)
    if chosen is None:
        return []
    worse = answers if winner is None else [answers[1 - winner]]
    return [Pair(example.id, chosen, text, "votes") for text in worse if text != chosen]
