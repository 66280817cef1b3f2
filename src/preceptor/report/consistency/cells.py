"""A task and its cells: counts, the confusion matrix, and the metrics that it gives."""

from collections.abc import Iterator, Sequence
from math import isnan

import numpy as np

from preceptor.evidence import INVALID_CODE, Sample, find_metric, metric_names
from preceptor.report.consistency.wrong import ROUNDING, Wrong, differ, of_metric_and_cases, within
from preceptor.study.results.cell_schema import Cell, LabelScoring
from preceptor.study.results.schema import Results
from preceptor.study.results.task_schema import TaskPart
from preceptor.study.run.failures import Failure


def of_task(task: TaskPart) -> Iterator[Wrong]:
    """Counts of a task."""
    if task.counts.groups_test > task.counts.test:
        yield "counts.groups_test", "there are more held-out patients than held-out cases"
    for column in dict.fromkeys(group.column for group in task.subgroups):
        if sum(group.cases for group in task.subgroups if group.column == column) != task.counts.test:
            yield "subgroups", "the groups of a column do not add up to the held-out cases"


def of_cell(cell: Cell, task: TaskPart) -> Iterator[Wrong]:
    """A cell beside its task, and its own numbers beside each other."""
    yield from of_metric_and_cases(cell, task)
    if (done := cell.delivered) and (done.kept_step > done.steps or done.kept_dose > done.dose + ROUNDING):
        yield "delivered", "more was kept than there was"
    if cell.label_scoring is not None:
        yield from within("label_scoring", _of_label_scoring(cell, cell.label_scoring))
    if cell.confusion is not None:
        yield from _of_confusion(cell, task, cell.confusion.matrix)


def _of_label_scoring(cell: Cell, scoring: LabelScoring) -> Iterator[Wrong]:
    if cell.confusion is None or cell.invalid_rate:
        yield "tau", "labels that were scored can all be read"
    if scoring.probabilities_tau not in (0, scoring.tau):
        yield "probabilities_tau", "it is neither 0 nor tau"
    if scoring.without_marker is not None and scoring.without_marker > cell.n:
        yield "without_marker", "there are more than held-out cases"
    if scoring.form and scoring.form.agreement > scoring.form.readable:
        yield "form", "more texts say the label than can be read"


def _of_confusion(cell: Cell, task: TaskPart, matrix: Sequence[Sequence[int]]) -> Iterator[Wrong]:
    if len(matrix) != len(task.labels):
        yield "confusion.labels", "they are not as many as the labels of the task"
        return
    if (total := sum(map(sum, matrix))) != cell.n:
        yield "confusion.matrix", f"its counts add up to {total}, and n is {cell.n}"
        return
    if cell.n and differ(cell.invalid_rate, sum(row[-1] for row in matrix) / cell.n):
        yield "invalid_rate", "it is not the share of invalid answers in the confusion matrix"
    positives = {extra.metric: extra.labels for extra in task.also}
    shown = {"value": (cell.metric, cell.value)} | {f"also.{name}": (name, value) for name, value in cell.also.items()}
    for place, (metric, value) in shown.items():
        if differ(value, _metric_of(metric, matrix, [task.labels.index(label) for label in positives.get(metric, ())])):
            yield place, "it is not what the confusion matrix gives"
    missed = {label for label, row, column in zip(task.labels, matrix, zip(*matrix, strict=True), strict=False)
              if sum(row) and not sum(column)}  # fmt: skip
    if cell.never_predicted and set(cell.never_predicted) != missed:
        yield "never_predicted", "these are not the labels that the confusion matrix has no answer with"


def _metric_of(name: str, matrix: Sequence[Sequence[int]], positives: Sequence[int]) -> float | None:
    """The metric as the confusion matrix has it; None where it is undefined, or asks for more than labels."""
    counts = np.array(matrix)
    gold, predicted = np.nonzero(counts)
    if name not in metric_names() or find_metric(name).fits != "labels" or not len(gold):
        return None
    answered = np.where(predicted == len(matrix), INVALID_CODE, predicted)
    cases = Sample(np.arange(len(gold)), gold, answered, positives=tuple(positives))
    value = float(find_metric(name).value(cases, counts[None, gold, predicted].astype(float))[0])
    return None if isnan(value) else value


def of_failed(results: Results) -> Iterator[Wrong]:
    """What failed belongs to the study, and has no result."""
    answered = {_name(cell) for cell in results.cells}
    for number, failure in enumerate(results.failed):
        if failure.seed not in results.study.seeds:
            yield f"failed.{number}.seed", "the study has no such seed"
        if _name(failure) in answered:
            yield f"failed.{number}", "this arm of this task has a result with this seed"
    yield from doubled("failed", results.failed)


def doubled(place: str, entries: Sequence[Cell | Failure]) -> Iterator[Wrong]:
    """Cells of the same arm, task and seed."""
    seen = set()
    for number, one in enumerate(entries):
        if _name(one) in seen:
            yield f"{place}.{number}", "this arm of this task stands there twice with this seed"
        seen.add(_name(one))


def _name(one: Cell | Failure) -> tuple[str, str, str, int]:
    return one.task, one.model, one.arm, one.seed
