"""One arm's held-out results, as arrays in a fixed order of cases."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

INVALID_CODE = -1  # an answer that could not be read

Ints = NDArray[np.integer]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

_ANSWERS = ("predicted", "predicted_sets", "unknown", "scores", "label_scores")
_COLUMNS = ("groups", "gold", "gold_sets", *_ANSWERS)


@dataclass(frozen=True, eq=False)
class Sample:
    """Held-out results of one arm: n cases, at least one.

    `groups` (n,): the patient of each case; any values that can be sorted.
    Label outputs: `gold` (n,) label numbers from 0, `predicted` (n,) label numbers, -1 where the answer was INVALID.
    Beside these, where the arm gives them, `label_scores` (n, K): one for each of K labels, the likelier the higher.
    Outputs of several labels: `gold_sets` (n, K) and `predicted_sets` (n, K), which of K labels each case has and was
    given, and `unknown` (n,), how many labels of an answer are none of these K; `label_scores` may stand beside them.
    Scored outputs: `scores` (n,). Beside these and beside sets `predicted` only marks INVALID answers with -1.
    `positives`: the numbers of the labels that count as positive, for metrics that need them; of sets, those over which
    a mean over labels is taken.
    """

    groups: NDArray[np.generic]
    gold: Ints | None = None
    predicted: Ints | None = None
    scores: Floats | None = None
    label_scores: Floats | None = None
    positives: tuple[int, ...] = ()
    gold_sets: Bools | None = None
    predicted_sets: Bools | None = None
    unknown: Ints | None = None

    def __post_init__(self) -> None:
        lengths = {name: len(column) for name, column in self._columns().items()}
        if len(self.groups) == 0:
            raise ValueError("a sample needs at least one case")
        if wrong := {name: length for name, length in lengths.items() if length != len(self.groups)}:
            raise ValueError(f"{len(self.groups)} cases, but other lengths in {wrong}")
        if self.gold is not None and self.predicted is None:
            raise ValueError("gold labels need predicted labels")
        if self.gold is None and self.gold_sets is None and self.scores is None:
            raise ValueError("a sample needs gold and predicted labels, or scores")
        if self.gold_sets is not None and (self.predicted_sets is None or self.unknown is None):
            raise ValueError("gold sets need predicted sets, and how many labels of each are unknown")
        known = {one.shape for one in (self.gold_sets, self.predicted_sets, self.label_scores) if one is not None}
        if self.gold_sets is not None and len(known) > 1:
            raise ValueError(f"sets and label scores of other shapes: {sorted(known)}")
        if self.gold is not None and np.any(self.gold < 0):
            raise ValueError("gold labels are numbered from 0")
        if (
            self.gold_sets is None
            and self.label_scores is not None
            and (self.gold is None or self.gold.max() >= self.label_scores.shape[1])
        ):
            raise ValueError("label scores need gold labels, and a column for each")

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

    def scored_labels(self) -> tuple[Ints, Floats]:
        """`gold` (n,) and a score for each label (n, K); ValueError when this is a scored output.

        Without `label_scores` the decision is the score: 1 for the predicted label, 0 for others, all 0 for INVALID.
        """
        gold, predicted = self.labels()
        if self.label_scores is not None:
            return gold, self.label_scores
        return gold, _decisions(predicted, 1 + max(gold.max(), predicted.max()))

    def sets(self) -> tuple[Bools, Bools, Ints]:
        """`gold_sets` and `predicted_sets`, each (n, K), and how many wrong labels beside those of K each answer has.

        An answer that could not be read has one, so that it is right nowhere, not even where no label is. ValueError
        when this is no output of several labels.
        """
        if self.gold_sets is None or self.predicted_sets is None or self.unknown is None:
            raise ValueError("this metric needs sets of labels, and the output has none")
        unread = 0 if self.predicted is None else (self.predicted == INVALID_CODE).astype(int)
        return self.gold_sets, self.predicted_sets, self.unknown + unread

    def scored_sets(self) -> tuple[Bools, Floats]:
        """Which of K labels each case has (n, K), one or several, and a score for each (n, K).

        Without `label_scores` the decision is the score, as in `scored_labels`.
        """
        if self.gold_sets is not None:
            gold, predicted, _ = self.sets()
            return gold, predicted.astype(float) if self.label_scores is None else self.label_scores
        label, scores = self.scored_labels()
        return label[:, None] == np.arange(scores.shape[1]), scores

    def patient_of_case(self) -> Ints:
        """(n,) the number of each case's patient, from 0, in the order of sorted `groups`."""
        numbers: Ints = np.unique(self.groups, return_inverse=True)[1]
        return numbers

    def take(self, cases: NDArray[np.generic]) -> "Sample":
        """Some of the cases: a mask (n,) or their numbers."""
        return replace(self, **{name: column[cases] for name, column in self._columns().items()})

    @staticmethod
    def stack(samples: Sequence["Sample"]) -> "Sample":
        """The cases of all, one sample after the other; all have the same columns, or label scores for decisions."""
        columns = [sample._columns() for sample in _alike(samples)]
        stacked: dict[str, Any] = {name: np.concatenate([one[name] for one in columns]) for name in columns[0]}
        return replace(samples[0], **stacked)

    def distinct(self) -> tuple["Sample", Ints]:
        """Each case once that differs in more than its patient, and the number (n,) of the one that each case is."""
        seen = np.column_stack([column for name, column in self._columns().items() if name != "groups"])
        _, first, number = np.unique(seen, axis=0, return_index=True, return_inverse=True)
        return self.take(first), number

    def differs(self, other: "Sample") -> NDArray[np.bool_]:
        """(n,) the cases to which another sample of the same cases has another answer."""
        ours, theirs = (sample._columns() for sample in _alike([self, other]))
        unlike = [ours[name] != theirs[name] for name in _ANSWERS if name in ours]
        differs: NDArray[np.bool_] = np.any(np.column_stack(unlike), axis=1)
        return differs

    def _columns(self) -> dict[str, Any]:
        return {name: column for name in _COLUMNS if (column := getattr(self, name)) is not None}


def _alike(samples: Sequence[Sample]) -> list[Sample]:
    """The samples; where some have label scores, the decisions of the others are theirs."""
    labels = next((one.label_scores.shape[1] for one in samples if one.label_scores is not None), None)
    if labels is None:
        return list(samples)
    return [
        one if one.label_scores is not None else replace(one, label_scores=_decided_scores(one, labels))
        for one in samples
    ]


def _decided_scores(sample: Sample, labels: int) -> Floats:
    return sample.scored_sets()[1] if sample.gold_sets is not None else _decisions(sample.labels()[1], labels)


def _decisions(predicted: Ints, labels: int) -> Floats:
    """Predicted label numbers (n,) -> (n, labels): 1 for the predicted one, else 0; INVALID, -1, has none."""
    decisions: Floats = (predicted[:, None] == np.arange(labels)).astype(float)
    return decisions
