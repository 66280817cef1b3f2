"""Pairs from votes: what raters chose on the labelling page, a case at a time."""

from collections.abc import Sequence
from pathlib import Path

from preceptor.errors import InputError, Problem
from preceptor.preferences._pair import Made
from preceptor.tasks import Example, Task


def votes(store: Path, task: Task, examples: Sequence[Example]) -> Made:
    """The pairs that votes on these training cases come to, in the order of `examples`; `origin` is `votes`.

    Cases without votes are left out. `notes` counts what gave no pair and why, such as `ties`, `both bad`, `in
    dispute`. The same store, task and cases give the same pairs. Raises `InputError` when there is no store.
    """
    raise InputError(Problem(str(store), "votes cannot be read yet", "Take votes out of `makers`."))
