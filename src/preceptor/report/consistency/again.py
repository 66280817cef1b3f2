"""What follows from `results.json` and the study in the run folder, computed again by what the study itself calls.

So a sentence, a verdict or a conclusion that was changed by hand is found, and a comparison that was taken out.
"""

from collections.abc import Iterator, Sequence

from pydantic import BaseModel

from preceptor._version import __version__
from preceptor.report.consistency.judged import of_adjusted, of_judged, of_judged_by_raters
from preceptor.report.consistency.wrong import Wrong, unlike, within
from preceptor.study import Study
from preceptor.study.results.conclusions import conclusions
from preceptor.study.results.contrast_schema import Contrast, NotCompared
from preceptor.study.results.contrasts import chosen
from preceptor.study.results.could_have_seen import could_have_seen
from preceptor.study.results.schema import ArmPart, Results
from preceptor.study.results.spike import spike_finding
from preceptor.study.results.task_evidence import by_task_and_model
from preceptor.study.results.task_schema import TaskPart
from preceptor.study.spec.arms import MAJORITY, phrases


def not_following(results: Results, study: Study) -> Iterator[Wrong]:
    """What does not follow from the rest, of results whose numbers agree with each other.

    Another version of Preceptor may have judged by other rules and with other words: of its results nothing is said.
    """
    if results.versions.get("preceptor") != __version__:
        return
    found = [*_of_design(results, study)]
    found = found or [*_of_compared(results, study), *of_adjusted(results), *_of_judged(results, study)]
    yield from found or _of_findings(results, study)


def _of_design(results: Results, study: Study) -> Iterator[Wrong]:
    """Arms, seeds, margins and primary contrasts are the study's."""
    told, design = results.study, results.design
    if told.arms != list(study.arm_names):
        yield "study.arms", "these are not the arms of the study"
    if told.seeds != list(study.seeds):
        yield "study.seeds", "these are not the seeds of the study"
    if results.arms != [ArmPart.model_validate(arm, from_attributes=True) for arm in study.resolved.values()]:
        yield "arms", "this is not what the study says of its arms"
    margins = [entry.margin for entry in study.tasks]
    for number, (task, margin) in enumerate(zip(told.tasks, margins, strict=False)):
        if task.margin != margin:
            yield f"study.tasks.{number}.margin", "it is not the margin that the study sets"
    if design is None:
        yield "design", "it is missing"
        return
    if design.primary != list(study.primary_contrasts):
        yield "design.primary", "these are not the primary contrasts of the study"
    if list(design.margins.values()) != margins:
        yield "design.margins", "these are not the margins of the study"
    if results.exploratory != (design.changed or any(task.looked_at_before for task in told.tasks)):
        yield "exploratory", "it does not follow from design.changed and the looks at the held-out cases"


def _of_compared(results: Results, study: Study) -> Iterator[Wrong]:
    """Each pair of arms that the study compares stands there once: compared, or not because of what failed."""
    pairs = chosen(study.resolved, study.primary_contrasts)
    for task in results.study.tasks:
        both: list[Contrast | NotCompared] = [*results.contrasts_of(task.name), *results.not_compared_of(task.name)]
        there = [(one.a, one.b) for one in both]
        for a, b in pairs:
            if _should_be_there(a, b, task, results) and (a, b) not in there:
                yield "contrasts", f"that of {a} with {b} on {task.name} is missing"
        if len(set(there)) < len(there):
            yield "contrasts", f"two arms are compared twice on {task.name}"
    parts: dict[str, Sequence[Contrast | NotCompared]] = {
        "contrasts": results.contrasts,
        "not_compared": results.not_compared,
    }
    for place, entries in parts.items():
        for number, one in enumerate(entries):
            if pairs.get((one.a, one.b)) != one.family:
                yield f"{place}.{number}.family", "it is not the one that the study gives this contrast"


def _should_be_there(a: str, b: str, task: TaskPart, results: Results) -> bool:
    """Whether the task has something of both arms: answers, or a failure."""
    answered = {cell.arm for cell in results.of_task(task.name)}
    known = answered | {one.arm for one in results.failed_of(task.name)}
    if b == MAJORITY:
        return bool(task.labels and answered) and a in known
    return {a, b} <= known


def _of_judged(results: Results, study: Study) -> Iterator[Wrong]:
    tasks = {task.name: task for task in results.study.tasks}
    for number, contrast in enumerate(results.contrasts):
        judged = of_judged(contrast, results, tasks[contrast.task], study.resolved)
        yield from within(f"contrasts.{number}", judged)
    for number, human in enumerate(results.human):
        yield from within(f"human.{number}", of_judged_by_raters(human, phrases(study.resolved)))


def _of_findings(results: Results, study: Study) -> Iterator[Wrong]:
    """Spikes, what could have been seen, and conclusions: in this order, since each rests on those before it."""
    tasks = results.study.tasks
    weights = {one.task: one.effective_patients for one in results.spikes}
    spikes = [
        found
        for task in tasks
        if (found := spike_finding(study, task, results.cells, results.contrasts, weights.get(task.name, 1.0)))
    ]
    evidence = by_task_and_model(results.contrasts, results.cells, tasks, study.resolved, results.failed)
    seen = [box for one in evidence if (box := could_have_seen(one, results.spikes))]
    yield from _unlike("spikes", results.spikes, spikes)
    yield from _unlike("could_have_seen", results.could_have_seen, seen)
    concluded = conclusions(results.contrasts, results.cells, tasks, study.resolved, results.failed, seen)
    yield from _unlike("conclusions", results.conclusions, concluded)


def _unlike(place: str, told: Sequence[BaseModel], found: Sequence[BaseModel]) -> Iterator[Wrong]:
    """Fields of entries that are not what the study would write."""
    if len(told) != len(found):
        yield place, f"there are {len(told)}, and {len(found)} follow from the rest"
        return
    for number, (one, other) in enumerate(zip(told, found, strict=True)):
        wrong = (name for name in type(other).model_fields if unlike(getattr(one, name), getattr(other, name)))
        yield from ((f"{place}.{number}.{name}", "it does not follow from the rest") for name in wrong)
