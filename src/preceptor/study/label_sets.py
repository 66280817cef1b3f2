"""Answers of several labels: as arrays, and the one rule by which scores become sets."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from math import inf
from typing import Any

import numpy as np
from numpy.typing import NDArray

from preceptor.evidence import INVALID_CODE, Metric, Sample, find_metric, value_of
from preceptor.tasks import Task

Sets = NDArray[np.bool_]
Array = NDArray[np.float64]

_MIDDLE = 0.5
THRESHOLDS = tuple(sorted((n / 100 for n in range(1, 100)), key=lambda one: (abs(one - _MIDDLE), one)))
"""Scores from which a label may be given, those nearest to a half first."""


def set_sample(
    task: Task,
    groups: NDArray[Any],
    targets: Sequence[str],
    texts: Sequence[str],
    positives: Sequence[str] = (),
) -> Sample:
    """Right answers and what was answered to each case, as arrays; labels are in the order of the task.

    positives: the labels that a mean over labels is about; all where none are named.
    """
    given = [task.label_set(text) for text in texts]
    return Sample(
        groups,
        predicted=np.array([INVALID_CODE if one is None else 0 for one in given]),
        gold_sets=membership(task, [task.label_set(target) or () for target in targets]),
        predicted_sets=membership(task, [one or () for one in given]),
        unknown=np.array([len((one or frozenset()).difference(task.set_labels)) for one in given]),
        positives=tuple(task.set_labels.index(label) for label in positives),
    )


def membership(task: Task, sets: Sequence[Iterable[str]]) -> Sets:
    """[sets, labels] which labels of the task each set has."""
    found = [[label in one for label in task.set_labels] for one in map(frozenset, sets)]
    return np.array(found, dtype=bool).reshape(len(sets), len(task.set_labels))


def score_rows(task: Task, scores: Sequence[Mapping[str, float]]) -> Array:
    """[cases, labels] scores by label; one that is missing has 0."""
    return np.array([[one.get(label, 0.0) for label in task.set_labels] for one in scores])


def set_score(task: Task, metric: Metric, target: str, answer: str) -> float:
    """How good one set is, 0 to 1: by the metric, or `set_metric`, where it rates one case, else whether it is right to
    the label.
    """
    right, given = task.label_set(target) or frozenset(), task.label_set(answer) or frozenset()
    rating = metric if metric.score else set_metric(task)
    return rating.score(right, given) if rating and rating.score else float(right == given)


def sets_by(task: Task, scores: Array, threshold: float) -> Sets:
    """[cases, labels] the labels whose score reaches the threshold.

    Where the task has no word for the empty set, a case of which none does is given the label of its highest score.
    """
    given = scores >= threshold
    if task.answer.empty is None:
        given[np.arange(len(given)), scores.argmax(axis=1)] |= ~given.any(axis=1)
    return given


def texts_of(task: Task, given: Sets) -> list[str]:
    """The sets as the task writes them."""
    return [task.format_set(label for label, has in zip(task.set_labels, row, strict=True) if has) for row in given]


def choose_threshold(task: Task, gold: Sets, scores: Array) -> float:
    """The threshold that does best on validation cases by the metric of `set_metric`; of equal ones the nearest to .5.

    gold, scores: [validation cases, labels].
    """
    metric = set_metric(task)
    if metric is None or not len(gold):
        return _MIDDLE
    return max(THRESHOLDS, key=lambda threshold: _merit(metric, gold, scores, sets_by(task, scores, threshold)))


def sets_merit(task: Task, gold: Sets, scores: Array) -> float:
    """The task's metric of scores and of the sets by their best threshold, more being better; minus infinity where it
    is undefined. gold, scores: [validation cases, labels].
    """
    given = sets_by(task, scores, choose_threshold(task, gold, scores))
    return _merit(find_metric(task.metric), gold, scores, given) if len(gold) else -inf


def set_metric(task: Task) -> Metric | None:
    """The task's metric where it rates sets, else the first beside it that does; None where all rate scores."""
    names = (task.metric, *(one.metric for one in task.secondary_metrics))
    return next((found for name in names if (found := find_metric(name)).fits == "label_sets"), None)


def set_rule_key(task: Task) -> list[Any]:
    """For the key of an arm's answers: all of the task that its threshold depends on."""
    metric = set_metric(task)
    return ["sets", list(task.set_labels), task.answer.empty, task.metric, metric.name if metric else None]


def with_scores(sample: Sample, metric: Metric, scores: Array | None) -> Sample:
    """The sample with label scores where the metric rates them and there are some."""
    rated = metric.fits in ("label_scores", "set_scores")
    return replace(sample, label_scores=scores) if rated and scores is not None else sample


def _merit(metric: Metric, gold: Sets, scores: Array, given: Sets) -> float:
    none = np.zeros(len(gold), dtype=int)
    decided = Sample(np.arange(len(gold)), gold_sets=gold, predicted_sets=given, unknown=none)
    value = value_of(metric, with_scores(decided, metric, scores))
    return -inf if value is None else value if metric.better == "higher" else -value
