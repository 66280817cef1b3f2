"""What was found of spikes, of what a study could have seen, and by raters, beside what else is known."""

from collections.abc import Iterator
from statistics import fmean

from preceptor.report.consistency.wrong import ROUNDING, Wrong, differ, of_p
from preceptor.study.results.conclusion_schema import CouldHaveSeen, SpikeFinding
from preceptor.study.results.could_have_seen import control_state
from preceptor.study.results.rater_schema import Human, Rater
from preceptor.study.results.schema import Results
from preceptor.study.results.spike import share_of


def of_spike(found: SpikeFinding, results: Results) -> Iterator[Wrong]:
    """Each share is the mean over seeds of the cells' own, and has the interval that follows from it."""
    task = next(task for task in results.study.tasks if task.name == found.task)
    spike, effective = task.spike, found.effective_patients
    if not 1 - ROUNDING <= effective <= task.counts.groups_test + ROUNDING:
        yield "effective_patients", "it is not between 1 and the number of held-out patients"
        return
    answered = {cell.arm for cell in results.of_task(found.task) if cell.model == found.model}
    if sorted(one.arm for one in found.shares) != sorted(answered):
        yield "shares", "these are not the arms that have answers, each once"
    metric = spike.metric if spike else ""
    for number, one in enumerate(found.shares):
        values = [cell.also.get(metric) for cell in results.of_arm(found.task, one.arm)]
        known = [value for value in values if value is not None]
        if not known or differ(one.share, fmean(known)):
            yield f"shares.{number}.share", "it is not the mean of the cells' shares"
        if not one.low - ROUNDING <= one.share <= one.high + ROUNDING:
            yield f"shares.{number}.ci", "it does not hold the share"
        elif any(map(differ, one.ci, share_of(one.arm, one.share, effective).ci)):
            yield f"shares.{number}.ci", "it is not the interval of such a share of the effective patients"


def of_seen(seen: CouldHaveSeen, results: Results) -> Iterator[Wrong]:
    """It speaks of the study's own task, control and answers."""
    if seen.task not in {task.name for task in results.study.tasks}:
        yield "task", "the study has no such task"
        return
    if seen.control != control_state(seen.model, results.spikes):
        yield "control", "it does not follow from what became of the study's spikes"
    of_task = [one.answers_changed for one in results.contrasts_of(seen.task) if one.model == seen.model]
    if seen.answers_changed is not None and all(differ(seen.answers_changed, one) for one in of_task):
        yield "answers_changed", "no contrast of the task has this share"


def of_human(human: Human) -> Iterator[Wrong]:
    """What raters scored, beside each other."""
    if human.patients > human.n:
        yield "patients", "there are more patients than cases"
    parts: list[tuple[str, Human | Rater]] = [("", human)]
    parts += [(f"raters.{number}.", rater) for number, rater in enumerate(human.raters)]
    for place, one in parts:
        if differ(one.delta, one.mean_a - one.mean_b):
            yield f"{place}delta", "it is not the difference of mean_a and mean_b"
    yield from of_p(human.p, human.p_adjusted)
