"""Texts of patients whom arms may have learned from: what a model says of them is no measure of what it can."""

from collections.abc import Sequence
from typing import TypeVar

from preceptor.errors import InputError, Problem
from preceptor.study.cases import Prepared

Text = TypeVar("Text", bound=tuple[str, ...])
"""The patient, and what else there is."""


def without_learned(texts: Sequence[Text], task: Prepared, where: str) -> list[Text]:
    """The texts of no patient of the training and validation cases. Raises `InputError` where none is left."""
    learned = {one.group for one in (*task.splits.train, *task.splits.validation)}
    left = [one for one in texts if one[0] not in learned]
    if not left:
        what = f"all of its {len(texts)} texts are of patients whom arms learn from"
        raise InputError(Problem(where, what, "Name texts of other patients."))
    return left
