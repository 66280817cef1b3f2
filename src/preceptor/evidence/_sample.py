"""One arm's held-out results, as arrays in a fixed order of cases."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

INVALID_CODE = -1  # an answer that could not be read

Ints = NDArray[np.integer]
Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Sample:
    """Held-out results of one arm: n cases, at least one.

    `groups` (n,): the patient of each case; any values that can be sorted.
    Label outputs: `gold` (n,) label numbers from 0, `predicted` (n,) label numbers, -1 where the answer was INVALID.
    Scored outputs: `scores` (n,); `predicted` may stand beside them, only to mark INVALID answers with -1.
    """

    groups: NDArray[np.generic]
    gold: Ints | None = None
    predicted: Ints | None = None
    scores: Floats | None = None

    def __post_init__(self) -> None:
        columns = {"gold": self.gold, "predicted": self.predicted, "scores": self.scores}
        lengths = {name: len(column) for name, column in columns.items() if column is not None}
        if len(self.groups) == 0:
            raise ValueError("a sample needs at least one case")
        if wrong := {name: length for name, length in lengths.items() if length != len(self.groups)}:
            raise ValueError(f"{len(self.groups)} cases, but other lengths in {wrong}")
        if self.gold is not None and self.predicted is None:
            raise ValueError("gold labels need predicted labels")
        if self.gold is None and self.scores is None:
            raise ValueError("a sample needs gold and predicted labels, or scores")
        if self.gold is not None and np.any(self.gold < 0):
            raise ValueError("gold labels are numbered from 0")

    def __len__(self) -> int:
        return len(self.groups)

    def __repr__(self) -> str:
        return f"Sample({len(self)} cases of {self.patients} patients)"

    @property
    def patients(self) -> int:
        """How many patients the cases come from."""
        return len(np.unique(self.groups))

    @property
    def invalid_rate(self) -> float:
        """Share of cases whose answer could not be read."""
        return 0.0 if self.predicted is None else float(np.mean(self.predicted == INVALID_CODE))

    def labels(self) -> tuple[Ints, Ints]:
        """`gold` and `predicted`, each (n,); ValueError when this is a scored output."""
        if self.gold is None or self.predicted is None:
            raise ValueError("this metric needs labels, and the output is scored")
        return self.gold, self.predicted

    def by_patient(self, per_case: Floats) -> Floats:
        """Add (n, c) up within each patient: (patients, c), patients sorted."""
        _, patient = np.unique(self.groups, return_inverse=True)
        totals = np.zeros((self.patients, per_case.shape[1]))
        np.add.at(totals, patient, per_case)
        return totals
