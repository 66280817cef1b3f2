"""Whether the numbers of `results.json` agree with each other: a file changed by hand is not shown as a study's."""

from collections.abc import Iterator, Sequence
from math import isnan
from statistics import fmean
from typing import get_args

import numpy as np

from preceptor.evidence import INVALID_CODE, Sample, find_metric, lower_is_better, metric_names
from preceptor.study.results.conclusion_schema import ConclusionKind, CouldHaveSeen, Recommendation, SpikeFinding
from preceptor.study.results.contrast_schema import Contrast, Dangerous, Detected
from preceptor.study.results.could_have_seen import control_state
from preceptor.study.results.rater_schema import Human, Rater
from preceptor.study.results.schema import Cell, LabelScoring, Results, TaskPart
from preceptor.study.results.schema_values import Interval
from preceptor.study.results.spike import share_of
from preceptor.study.run.failures import Failure

_ROUNDING = 1e-6
_MAJORITY = "majority"
_SIGNIFICANCE = 0.05
_ANY = get_args(Recommendation)
_RECOMMENDED: dict[ConclusionKind, tuple[Recommendation, ...]] = {
    "dpo_harms": ("do not deploy",),
    "not_enough_cases": ("more cases",),
    "descriptive": ("more cases",),
    "sft_not_settled": ("do not deploy",),
    "dpo_not_delivered": ("do not deploy",),
    "could_not_have_seen": ("do not deploy",),
    "names_the_answer": ("do not deploy",),
    "simpler_is_better": ("do not deploy",),
    "unsettled": ("do not deploy", "more cases"),
}
"""What may be advised after a conclusion; after any other, whatever else is known of its task decides."""

Wrong = tuple[str, str]
"""The place in the file, such as `cells.3.n`, and what is wrong there."""


def contradictions(results: Results) -> Iterator[Wrong]:
    """Every number that cannot be true beside the others. Nothing is said of what an older version did not write."""
    tasks = {task.name: task for task in results.study.tasks}
    for number, task in enumerate(results.study.tasks):
        yield from _within(f"study.tasks.{number}", _of_task(task))
    for number, cell in enumerate(results.cells):
        yield from _within(f"cells.{number}", _of_cell(cell, tasks[cell.task]))
    for number, found in enumerate(results.spikes):
        yield from _within(f"spikes.{number}", _of_spike(found, results))
    for number, seen in enumerate(results.could_have_seen):
        yield from _within(f"could_have_seen.{number}", _of_seen(seen, results))
    for place, named in (("spikes", results.spikes), ("could_have_seen", results.could_have_seen)):
        if len({(one.task, one.model) for one in named}) < len(named):
            yield place, "a task and model stands there twice"
    yield from _doubled("cells", results.cells)
    yield from _of_failed(results)
    for number, contrast in enumerate(results.contrasts):
        yield from _within(f"contrasts.{number}", _of_contrast(contrast, results, tasks.get(contrast.task)))
    for number, conclusion in enumerate(results.conclusions):
        if conclusion.task not in tasks:
            yield f"conclusions.{number}.task", "the study has no such task"
        spiked = conclusion.task in tasks and tasks[conclusion.task].spike is not None
        allowed = ("do not deploy",) if spiked else _RECOMMENDED.get(conclusion.conclusion, _ANY)
        if conclusion.recommendation not in allowed:
            yield f"conclusions.{number}.recommendation", f"it does not follow from {conclusion.conclusion}"
    for number, human in enumerate(results.human):
        if human.task not in tasks:
            yield f"human.{number}.task", "the study has no such task"
        yield from _within(f"human.{number}", _of_human(human))


def _within(place: str, found: Iterator[Wrong]) -> Iterator[Wrong]:
    return ((f"{place}.{inner}", what) for inner, what in found)


def _of_task(task: TaskPart) -> Iterator[Wrong]:
    if task.counts.groups_test > task.counts.test:
        yield "counts.groups_test", "there are more held-out patients than held-out cases"
    for column in dict.fromkeys(group.column for group in task.subgroups):
        if sum(group.cases for group in task.subgroups if group.column == column) != task.counts.test:
            yield "subgroups", "the groups of a column do not add up to the held-out cases"


def _of_metric_and_cases(one: Cell | Contrast, task: TaskPart) -> Iterator[Wrong]:
    if one.metric != task.metric:
        yield "metric", "it is not the metric of its task"
    if one.n != task.counts.test:
        yield "n", f"it is {one.n}, and the task has {task.counts.test} held-out cases"
    if one.patients is not None and one.patients != task.counts.groups_test:
        yield "patients", f"it is {one.patients}, and the task has {task.counts.groups_test} held-out patients"


def _of_cell(cell: Cell, task: TaskPart) -> Iterator[Wrong]:
    yield from _of_metric_and_cases(cell, task)
    if (done := cell.delivered) and (done.kept_step > done.steps or done.kept_dose > done.dose + _ROUNDING):
        yield "delivered", "more was kept than there was"
    if cell.label_scoring is not None:
        yield from _within("label_scoring", _of_label_scoring(cell, cell.label_scoring))
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


def _of_spike(found: SpikeFinding, results: Results) -> Iterator[Wrong]:
    """Each share is the mean over seeds of the cells' own, and has the interval that follows from it."""
    task = next(task for task in results.study.tasks if task.name == found.task)
    spike, effective = task.spike, found.effective_patients
    if not 1 - _ROUNDING <= effective <= task.counts.groups_test + _ROUNDING:
        yield "effective_patients", "it is not between 1 and the number of held-out patients"
        return
    answered = {cell.arm for cell in results.of_task(found.task) if cell.model == found.model}
    if sorted(one.arm for one in found.shares) != sorted(answered):
        yield "shares", "these are not the arms that have answers, each once"
    metric = spike.metric if spike else ""
    for number, one in enumerate(found.shares):
        values = [cell.also.get(metric) for cell in results.of_arm(found.task, one.arm)]
        known = [value for value in values if value is not None]
        if not known or _differ(one.share, fmean(known)):
            yield f"shares.{number}.share", "it is not the mean of the cells' shares"
        if not one.low - _ROUNDING <= one.share <= one.high + _ROUNDING:
            yield f"shares.{number}.ci", "it does not hold the share"
        elif any(map(_differ, one.ci, share_of(one.arm, one.share, effective).ci)):
            yield f"shares.{number}.ci", "it is not the interval of such a share of the effective patients"


def _of_seen(seen: CouldHaveSeen, results: Results) -> Iterator[Wrong]:
    """It speaks of the study's own task, control and answers."""
    if seen.task not in {task.name for task in results.study.tasks}:
        yield "task", "the study has no such task"
        return
    if seen.control != control_state(seen.model, results.spikes):
        yield "control", "it does not follow from what became of the study's spikes"
    of_task = [one.answers_changed for one in results.contrasts_of(seen.task) if one.model == seen.model]
    if seen.answers_changed is not None and all(_differ(seen.answers_changed, one) for one in of_task):
        yield "answers_changed", "no contrast of the task has this share"


def _of_confusion(cell: Cell, task: TaskPart, matrix: Sequence[Sequence[int]]) -> Iterator[Wrong]:
    if len(matrix) != len(task.labels):
        yield "confusion.labels", "they are not as many as the labels of the task"
        return
    if (total := sum(map(sum, matrix))) != cell.n:
        yield "confusion.matrix", f"its counts add up to {total}, and n is {cell.n}"
        return
    if cell.n and _differ(cell.invalid_rate, sum(row[-1] for row in matrix) / cell.n):
        yield "invalid_rate", "it is not the share of invalid answers in the confusion matrix"
    positives = {extra.metric: extra.labels for extra in task.also}
    shown = {"value": (cell.metric, cell.value)} | {f"also.{name}": (name, value) for name, value in cell.also.items()}
    for place, (metric, value) in shown.items():
        if _differ(
            value, _metric_of(metric, matrix, [task.labels.index(label) for label in positives.get(metric, ())])
        ):
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


def _of_failed(results: Results) -> Iterator[Wrong]:
    answered = {_name(cell) for cell in results.cells}
    for number, failure in enumerate(results.failed):
        if failure.seed not in results.study.seeds:
            yield f"failed.{number}.seed", "the study has no such seed"
        if _name(failure) in answered:
            yield f"failed.{number}", "this arm of this task has a result with this seed"
    yield from _doubled("failed", results.failed)


def _doubled(place: str, entries: Sequence[Cell | Failure]) -> Iterator[Wrong]:
    seen = set()
    for number, one in enumerate(entries):
        if _name(one) in seen:
            yield f"{place}.{number}", "this arm of this task stands there twice with this seed"
        seen.add(_name(one))


def _name(one: Cell | Failure) -> tuple[str, str, str, int]:
    return one.task, one.model, one.arm, one.seed


def _of_contrast(contrast: Contrast, results: Results, task: TaskPart | None) -> Iterator[Wrong]:
    if task is None:
        yield "task", "the study has no such task"
        return
    a, b = (
        [one for one in results.of_arm(task.name, arm) if one.model == contrast.model]
        for arm in (contrast.a, contrast.b)
    )
    if not a:
        yield "a", "there is no cell of this arm"
    if not b and contrast.b != _MAJORITY:
        yield "b", "there is no cell of this arm"
    yield from _of_metric_and_cases(contrast, task)
    if a and (b or contrast.b == _MAJORITY):
        yield from _of_deltas(contrast, a, b, task)
        yield from _of_counts(contrast, a, b)
    yield from _of_p(contrast.p, contrast.p_adjusted)
    yield from _of_intervals(contrast)
    yield from _of_verdict(contrast)


def _of_deltas(contrast: Contrast, a: Sequence[Cell], b: Sequence[Cell], task: TaskPart) -> Iterator[Wrong]:
    """A delta is what the values of its two arms differ by, with each seed, and in the mean over the seeds."""
    if contrast.seeds and _differ(contrast.delta, fmean(seed.delta for seed in contrast.seeds)):
        yield "delta", "it is not the mean of its seeds"
    for number, one in enumerate(contrast.seeds):
        ours = next((cell for cell in a if cell.seed == one.seed), None)
        if ours is None:
            yield f"seeds.{number}.seed", "there is no cell of arm a with this seed"
            continue
        theirs = _of_seed(b, one.seed).value if b else task.majority
        if ours.value is not None and theirs is not None and _differ(one.delta, ours.value - theirs):
            yield f"seeds.{number}.delta", "it is not the difference of the values of its two arms"


def _of_seed(cells: Sequence[Cell], seed: int) -> Cell:
    """The cell of this seed; an arm without seeds has one for all."""
    return next((cell for cell in cells if cell.seed == seed), cells[0])


def _of_counts(contrast: Contrast, a: Sequence[Cell], b: Sequence[Cell]) -> Iterator[Wrong]:
    """The paired table, on the first seed, adds up to the cases, and to what each of the two arms had right."""
    counts = contrast.counts
    if counts is None:
        return
    if counts.both_right + counts.only_a + counts.only_b + counts.neither != contrast.n:
        yield "counts", f"they do not add up to {contrast.n} cases"
    first = contrast.seeds[0].seed if contrast.seeds else a[0].seed
    sides = [(a, counts.only_a, "a"), (b, counts.only_b, "b")]
    for cells, alone, arm in sides:
        right = _right(_of_seed(cells, first)) if cells else None
        if right is not None and counts.both_right + alone != right:
            yield "counts", f"arm {arm} was right {right} times by its confusion matrix"
    if (risky := contrast.dangerous) and risky.lost + risky.gained > contrast.n * risky.seeds:
        yield "dangerous", "these are more than all cases"
    if risky and risky.sensitivity:
        yield from _of_sensitivity(risky, risky.sensitivity)


def _of_sensitivity(risky: Dangerous, found: Detected) -> Iterator[Wrong]:
    if not found.cases or _differ(found.a - found.b, (risky.gained - risky.lost) / (found.cases * risky.seeds)):
        yield "dangerous.sensitivity", "it does not follow from the cases lost and gained"


def _right(cell: Cell) -> int | None:
    return None if cell.confusion is None else sum(row[i] for i, row in enumerate(cell.confusion.matrix))


def _of_p(p: float | None, adjusted: float | None) -> Iterator[Wrong]:
    if p is not None and adjusted is not None and adjusted < p - _ROUNDING:
        yield "p_adjusted", "it is smaller than p, and adjusting can only make it larger"


def _of_intervals(contrast: Contrast) -> Iterator[Wrong]:
    wide, narrow = _ends(contrast.ci), _ends(contrast.ci_90)
    if wide and narrow and (narrow[0] < wide[0] - _ROUNDING or narrow[1] > wide[1] + _ROUNDING):
        yield "ci_90", "it does not lie inside the 95% interval"
    exact = contrast.interval.startswith("Tango")  # a resampled one need not hold the difference
    if wide and exact and not wide[0] - _ROUNDING <= contrast.delta <= wide[1] + _ROUNDING:
        yield "ci", "it does not hold the difference"


def _of_verdict(contrast: Contrast) -> Iterator[Wrong]:
    """The verdict is what its own numbers allow; docs/EVIDENCE.md has the rule."""
    ends, narrow, adjusted = _ends(contrast.ci), _ends(contrast.ci_90), contrast.p_adjusted
    if contrast.descriptive is not None:
        if contrast.verdict != "inconclusive":
            yield "verdict", "it is only described, so nothing can be concluded"
        return
    if ends is None or adjusted is None:
        return
    shown = "better" if ends[0] > 0 else "worse" if ends[1] < 0 else None
    if lower_is_better(contrast.metric):
        shown = {"better": "worse", "worse": "better"}.get(shown or "")
    significant = adjusted < _SIGNIFICANCE
    if contrast.verdict in ("better", "worse") and not (significant and contrast.verdict == shown):
        yield "verdict", f"{contrast.verdict} does not follow from its interval and p_adjusted"
    if contrast.verdict not in ("better", "worse") and significant and shown is not None:
        yield "verdict", f"{shown} follows from its interval and p_adjusted"
    margin = contrast.margin or 0.0
    if contrast.verdict == "equivalent" and narrow and not -margin < narrow[0] <= narrow[1] < margin:
        yield "verdict", "equivalent does not follow from its 90% interval and margin"


def _ends(interval: Interval | None) -> tuple[float, float] | None:
    if interval is None or interval[0] is None or interval[1] is None:
        return None
    return interval[0], interval[1]


def _of_human(human: Human) -> Iterator[Wrong]:
    if human.patients > human.n:
        yield "patients", "there are more patients than cases"
    parts: list[tuple[str, Human | Rater]] = [("", human)]
    parts += [(f"raters.{number}.", rater) for number, rater in enumerate(human.raters)]
    for place, one in parts:
        if _differ(one.delta, one.mean_a - one.mean_b):
            yield f"{place}delta", "it is not the difference of mean_a and mean_b"
    yield from _of_p(human.p, human.p_adjusted)


def _differ(told: float | None, found: float | None) -> bool:
    return told is not None and found is not None and abs(told - found) > _ROUNDING
