"""The user's table of pairs of labels that interact, such as drugs, by their names."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from preceptor.data import read_table
from preceptor.errors import InputError, Problem
from preceptor.tasks import Task, plain


@dataclass(frozen=True, slots=True)
class Interactions:
    """pairs: of labels, each once and in the task's order. unknown: names of the table that are no label, whose pairs
    are left out. not_in_it: labels of which the table says nothing.
    """

    labels: tuple[str, ...] = field(repr=False)
    pairs: tuple[tuple[str, str], ...] = field(repr=False)
    unknown: tuple[str, ...]
    not_in_it: tuple[str, ...]

    @property
    def matrix(self) -> NDArray[np.bool_]:
        """[labels, labels] which interact, symmetric."""
        found = np.zeros((len(self.labels), len(self.labels)), dtype=bool)
        for a, b in self.pairs:
            i, j = self.labels.index(a), self.labels.index(b)
            found[i, j] = found[j, i] = True
        return found


def read_interactions(path: Path, task: Task) -> Interactions:
    """The pairs in the first two columns of a table, by name; case and space around do not matter.

    Raises `InputError` for a task without sets of labels, a table that cannot be read, and one of which no pair is of
    two labels.
    """
    where = f"{path}, task {task.name}"
    if not task.set_labels:
        fix = "Take `interactions` out, or set answer.kind: labels in the task"
        raise InputError(Problem(where, "there are no pairs where an answer has one label", fix))
    table = read_table(path)
    if len(table.columns) < 2:
        raise InputError(
            Problem(where, "it has no two columns", "Write the names of a pair into its first two columns")
        )
    named = [
        [" ".join(name.split()) for name in row] for row in zip(*map(table.column, table.columns[:2]), strict=True)
    ]
    known = {plain(label): label for label in task.set_labels}
    pairs = {pair for a, b in named if (pair := _pair(a, b, known, task.set_labels))}
    names = {plain(name): name for row in named for name in row if name}
    if not pairs:
        fix = f"Write drugs as the task names them: {', '.join(task.set_labels[:3])} and so on"
        raise InputError(Problem(where, "no row is of two of the task's labels", fix))
    return Interactions(
        task.set_labels,
        tuple(sorted(pairs)),
        tuple(name for plain, name in sorted(names.items()) if plain not in known),
        tuple(label for label in task.set_labels if plain(label) not in names),
    )


def _pair(a: str, b: str, known: dict[str, str], labels: Sequence[str]) -> tuple[str, str] | None:
    found = sorted({known[plain(name)] for name in (a, b) if plain(name) in known}, key=labels.index)
    return (found[0], found[1]) if len(found) == 2 else None
