"""Whether the numbers of `results.json` agree with each other: a file changed by hand is not shown as a study's."""

from collections.abc import Iterator
from typing import get_args

from preceptor.report.consistency.again import not_following
from preceptor.report.consistency.cells import doubled, of_cell, of_failed, of_task
from preceptor.report.consistency.contrasts import of_contrast
from preceptor.report.consistency.findings import of_human, of_seen, of_spike
from preceptor.report.consistency.wrong import Wrong, within
from preceptor.study import Study
from preceptor.study.results.conclusion_schema import ConclusionKind, Recommendation
from preceptor.study.results.schema import Results

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


def contradictions(results: Results, study: Study | None = None) -> list[Wrong]:
    """Every number that cannot be true beside the others; where all can, and the study that was run is known, whatever
    does not follow from them. Nothing is said of what an older version did not write.
    """
    return [*_between_numbers(results)] or ([] if study is None else [*not_following(results, study)])


def _between_numbers(results: Results) -> Iterator[Wrong]:
    tasks = {task.name: task for task in results.study.tasks}
    for number, task in enumerate(results.study.tasks):
        yield from within(f"study.tasks.{number}", of_task(task))
    for number, cell in enumerate(results.cells):
        yield from within(f"cells.{number}", of_cell(cell, tasks[cell.task]))
    for number, found in enumerate(results.spikes):
        yield from within(f"spikes.{number}", of_spike(found, results))
    for number, seen in enumerate(results.could_have_seen):
        yield from within(f"could_have_seen.{number}", of_seen(seen, results))
    for place, named in (("spikes", results.spikes), ("could_have_seen", results.could_have_seen)):
        if len({(one.task, one.model) for one in named}) < len(named):
            yield place, "a task and model stands there twice"
    yield from doubled("cells", results.cells)
    yield from of_failed(results)
    for number, contrast in enumerate(results.contrasts):
        yield from within(f"contrasts.{number}", of_contrast(contrast, results, tasks.get(contrast.task)))
    for number, conclusion in enumerate(results.conclusions):
        if conclusion.task not in tasks:
            yield f"conclusions.{number}.task", "the study has no such task"
        spiked = conclusion.task in tasks and tasks[conclusion.task].spike is not None
        allowed = ("do not deploy",) if spiked else _RECOMMENDED.get(conclusion.conclusion, _ANY)
        if conclusion.recommendation not in allowed:
            yield f"conclusions.{number}.recommendation", f"it does not follow from {conclusion.conclusion}"
    yield from _of_design(results)
    for number, human in enumerate(results.human):
        if human.task not in tasks:
            yield f"human.{number}.task", "the study has no such task"
        yield from within(f"human.{number}", of_human(human))


def _of_design(results: Results) -> Iterator[Wrong]:
    """Every primary contrast of two arms that answered stands there, and what each task comes to."""
    if results.design is None:
        return
    compared = {(one.task, one.a, one.b) for one in results.contrasts}
    for task in results.study.tasks:
        seeds = {arm: {cell.seed for cell in results.of_arm(task.name, arm)} for arm in results.study.arms}
        for a, b in results.design.primary:
            if seeds.get(a, set()) & seeds.get(b, set()) and (task.name, a, b) not in compared:
                yield "contrasts", f"that of {a} with {b} on {task.name}, a primary one, is missing"
        if results.of_task(task.name) and not results.conclusions_of(task.name):
            yield "conclusions", f"that of {task.name} is missing"
