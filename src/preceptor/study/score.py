"""How good one answer to one case is: where a task's metric meets the text a model wrote."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from math import inf

import numpy as np

from preceptor.errors import Problem
from preceptor.evidence import Fits, Sample, find_metric, metric_names, metric_title, value_of
from preceptor.study.label_sets import set_sample, set_score
from preceptor.tasks import INVALID, Example, Task

_NEEDS: dict[Fits, str] = {
    "labels": "answer.kind: label",
    "label_scores": "answer.kind: label or labels",
    "label_sets": "answer.kind: labels",
    "set_scores": "answer.kind: labels",
    "facts": "answer.parser: elements",
    "text": "answer.kind: text",
    "scores": "scores that are given, and an answer is none",
}
"""What a task file must say for a metric to fit."""


def metric_problems(task: Task, at: Callable[[str], str]) -> Iterator[Problem]:
    """Metrics of a task's file that nobody knows, that rate other kinds of answers, or that lack their labels.

    at: a key of the file, such as `also.0` -> how messages name it.
    """
    fitting = [name for name in metric_names() if find_metric(name).fits in _given_by(task)]
    secondary = [(f"also.{n}", one.metric, one.labels) for n, one in enumerate(task.secondary_metrics)]
    also = [one.metric for one in task.secondary_metrics]
    for name in sorted({name for name in also if also.count(name) > 1}):
        fix = "Name it once, with all its labels or phrases together"
        yield Problem(at("also"), f"{name!r} is named more than once", fix)
    for key, name, labels in [("metric", task.metric, ()), *secondary]:
        fix = (
            f"Choose of {', '.join(one for one in fitting if key != 'metric' or not find_metric(one).needs_positives)}"
        )
        if name not in metric_names():
            yield Problem(at(key), f"there is no metric {name!r}", fix)
        elif name not in fitting:
            what = f"{name!r} does not fit this answer, it needs {_NEEDS[find_metric(name).fits]}"
            yield Problem(at(key), what, fix)
        elif find_metric(name).needs_positives and not all(one.strip() for one in labels or [""]):
            needed = "phrases" if find_metric(name).fits == "text" else "positive labels"
            yield Problem(at(key), f"{name!r} needs its {needed}", "Write them under also: labels")


def undefined_problems(task: Task, test: Sequence[Example], where: str) -> Iterator[Problem]:
    """A main metric that the held-out cases leave undefined, as AUROC is where all are of one label."""
    if task.set_labels:
        targets, nobody = [one.target for one in test], np.arange(len(test))
        if targets and value_of(find_metric(task.metric), set_sample(task, nobody, targets, targets)) is None:
            what = f"{metric_title(task.metric)} is undefined on the held-out cases, for want of cases with a label"
            yield Problem(where, what, "Hold out cases with labels and without, or name another metric")
        return
    gold = np.array([task.labels.index(label) for one in test if (label := gold_label(task, one)) in task.labels])
    if len(gold) and value_of(find_metric(task.metric), Sample(np.arange(len(gold)), gold, gold)) is None:
        what = f"{metric_title(task.metric)} is undefined on the held-out cases, which are all of one label"
        yield Problem(where, what, "Hold out cases of every label, or name another metric")


def asks_label_scores(task: Task) -> bool:
    """Whether a metric of the task rates a score for each label."""
    names = (task.metric, *(one.metric for one in task.secondary_metrics))
    return any(find_metric(name).fits == "label_scores" for name in names)


def case_score(task: Task, text: str, example: Example, metric: str | None = None) -> float:
    """Between 0 and 1: right or wrong for labels, the metric's own score of the case for text. INVALID scores 0, which
    is the worst by any main metric, and says of an unwanted phrase that it is not there.

    Raises ValueError for a metric that nobody knows.
    """
    answer, found = task.parse(text), find_metric(metric or task.metric)
    if answer == INVALID:
        return 0.0
    if task.set_labels:
        return set_score(task, found, example.target, answer)
    if found.score is None:
        return float(answer == gold_label(task, example))
    if found.fits == "facts":
        return found.score(task.facts(example.target), task.facts(answer))
    if found.needs_positives:
        return found.score(example.target, answer, labels_of(task, found.name))
    return found.score(example.target, answer)


def labels_merit(
    task: Task, gold: Sequence[str], answers: Sequence[str], scores: Sequence[Mapping[str, float]]
) -> float:
    """The task's metric of labels that were given and of how likely each label was found, more being better; minus
    infinity where it is undefined.
    """
    metric = find_metric(task.metric)
    labels = sorted({*gold, *answers}.union(*scores))
    right, given = (np.array([labels.index(one) for one in some]) for some in (gold, answers))
    shares = np.array([[one.get(label, 0.0) for label in labels] for one in scores])
    value = value_of(metric, Sample(np.arange(len(gold)), right, given, label_scores=shares))
    return -inf if value is None else value if metric.better == "higher" else -value


def labels_of(task: Task, metric: str) -> tuple[str, ...]:
    """The labels, or phrases, that the task names beside a secondary metric."""
    return next((extra.labels for extra in task.secondary_metrics if extra.metric == metric), ())


def gold_label(task: Task, example: Example) -> str:
    """The right label; the target itself may be a whole line of reasoning that ends in it."""
    return example.target if example.target in task.labels else task.parse(example.target)


def _given_by(task: Task) -> tuple[Fits, ...]:
    """What an answer to the task gives a metric to rate."""
    if task.answer.kind == "label":
        return ("labels", "label_scores")
    if task.set_labels:
        return ("label_sets", "set_scores", "label_scores")
    return ("text", "facts") if task.answer.parser == "elements" else ("text",)
