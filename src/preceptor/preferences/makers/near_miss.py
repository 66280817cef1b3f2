"""The maker `near_miss`: the right answer with one thing made wrong, so that little but that thing can be learnt."""

import random

from preceptor.preferences._request import Request
from preceptor.preferences.makers._labels import with_label, wrong_labels
from preceptor.preferences.makers._one_fact import change_one_fact
from preceptor.preferences.makers._pair import Made, Pair
from preceptor.tasks import Example, Task


def near_miss(request: Request) -> Made:
    """Each right answer against itself with one clinical fact changed, or its last label where it ends in one.

    Drawn by the seed and the case's id alone. A text that holds no fact which can be changed gives no pair.
    """
    made = ((example, _missed(request.task, example, request.seed)) for example in request.examples)
    return Made([Pair(example.id, example.target, missed, "near_miss") for example, missed in made if missed])


def _missed(task: Task, example: Example, seed: int) -> str | None:
    rng = random.Random(f"{seed} {example.id}")
    if task.answer.parser == "final_answer":
        return with_label(task, example.target, rng.choice(wrong_labels(task, example)))
    changed = change_one_fact(example.target, rng)
    return changed.text if changed else None
