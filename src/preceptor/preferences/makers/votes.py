"""Pairs from votes: what raters chose on the labelling page, a case at a time."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from preceptor.preferences.labelling import Store
from preceptor.preferences.labelling._consensus import Settled, settle
from preceptor.preferences.labelling._make_item import case_fields, is_of, item_id
from preceptor.preferences.makers._pair import Made, Pair
from preceptor.tasks import INVALID, Example, Task

_WITHOUT_WINNER = {"tie": "ties", "both_bad": "both bad", None: "in dispute"}


def votes(store: Path, task: Task, examples: Sequence[Example]) -> Made:
    """The pairs that votes on these training cases come to, in the order of `examples`; `origin` is `votes`.

    The better answer is chosen, or the ideal one that a rater wrote; one that was written where neither was better is
    chosen over both. Cases without votes are left out. `notes` counts what gave no pair and why: `ties`, `both bad`,
    `in dispute`, `case changed since`, and votes on cases of this task that are none of `examples`. The same store,
    task and cases give the same pairs. Raises `InputError` when there is no store.
    """
    voted = _voted(store, task)
    notes = Counter[str]()
    pairs: list[Pair] = []
    for example in examples:
        if one := voted.pop(item_id(task, example), None):
            changed = one.item.case != case_fields(task, example)
            made = [] if changed else _pairs(task, example, one)
            pairs += made
            if not made:
                notes["case changed since" if changed else _WITHOUT_WINNER.get(one.choice, "the same answer")] += 1
    if voted:
        notes["not a training case"] = len(voted)
    return Made(pairs, notes=dict(sorted(notes.items())))


def _voted(path: Path, task: Task) -> dict[str, Settled]:
    """What was voted on in this task, by the item's id."""
    store = Store.open(path)
    try:
        settled = settle(store.items(), store.votes())
    finally:
        store.close()
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
