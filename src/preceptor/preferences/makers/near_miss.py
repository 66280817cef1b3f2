"""The maker `near_miss`: the right answer with a single error, so that little but that error can be learned."""

import random
from collections.abc import Sequence

from preceptor.preferences.makers._labels import with_label, wrong_labels
from preceptor.preferences.makers._maker import MadePairs, Pair, PairWork, Request, Setting
from preceptor.preferences.makers._one_fact import change_one_fact
from preceptor.tasks import Example, Task

explanation = "the right answer with one fact changed"
settings: tuple[Setting, ...] = ()


def unsupported_reason(task: Task, examples: Sequence[Example]) -> str | None:
    """It needs answers with text in them."""
    is_label = task.answer.parser == "label"
    return "it changes a fact in a text, and the answers are labels" if is_label else None


def expected_work(task: Task, example: Example, samples: int) -> PairWork:
    """None for the policy; the error stands in the middle of the answer, on average."""
    return PairWork(shared=0.5)


def make(request: Request) -> MadePairs:
    """Each right answer over the same with one clinical fact changed, or its final label where it has one; of several
    labels, one is added or taken away.

    The error depends on the seed and the case's id only. A text without a fact that can be changed gives no pair.
    """
    made = ((example, _with_error(request.task, example, request.seed)) for example in request.examples)
    return MadePairs([Pair(example.id, example.target, wrong, "near_miss") for example, wrong in made if wrong])


def _with_error(task: Task, example: Example, seed: int) -> str | None:
    rng = random.Random(f"{seed} {example.id}")
    if task.set_labels:
        right = task.label_set(example.target) or frozenset()
        changed_sets = [right ^ {label} for label in task.set_labels]
        return task.format_set(rng.choice([one for one in changed_sets if one or task.answer.empty is not None]))
    if task.answer.parser == "final_answer":
        return with_label(task, example.target, rng.choice(wrong_labels(task, example)))
    changed = change_one_fact(example.target, rng)
    return changed.text if changed else None
