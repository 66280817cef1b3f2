"""What became of an error that was put into the training data on purpose, and what may be said of it.

Preferences are credited only with what they add: SFT on the chosen answers alone learns from the same corrections.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from statsmodels.stats.proportion import proportion_confint

from preceptor.evidence import metric_title, number
from preceptor.study.results.cell_schema import Cell
from preceptor.study.results.conclusion_schema import SpikeConclusion, SpikeFinding, SpikeShare
from preceptor.study.results.contrast_schema import Contrast
from preceptor.study.results.contrast_words import gained, over
from preceptor.study.results.task_schema import TaskPart
from preceptor.study.spec.arms import comparator, treatment
from preceptor.study.spec.study import Study

_CORRECTED = "chosen"
"""The kind of stage that learns from the chosen answers alone."""


@dataclass(frozen=True, slots=True)
class Roles:
    """Names of arms, None where the study has none: the untouched model; what learned the archive; what went on from
    there by preferences, by the corrected answers alone, and by more of the archive.
    """

    untouched: str | None = None
    archive: str | None = None
    preferences: str | None = None
    corrected: str | None = None
    longer: str | None = None


def spike_finding(
    study: Study, task: TaskPart, cells: Sequence[Cell], contrasts: Sequence[Contrast], effective: float
) -> SpikeFinding | None:
    """What became of the task's spike; None without one, or where no arm has answers.

    effective: the `effective_number` of the held-out cases.
    """
    own = [cell for cell in cells if cell.task == task.name]
    if task.spike is None or not own:
        return None
    roles = roles_of(study)
    values: dict[str, list[float]] = {}
    for cell in own:
        if (value := cell.also.get(task.spike.metric)) is not None:
            values.setdefault(cell.arm, []).append(value)
    shares = {arm: share_of(arm, fmean(found), effective) for arm, found in values.items()}
    lost = lost_the_task(task, contrasts, roles)
    found = conclude(shares, roles, lost=lost is not None)
    phrases = {name: arm.phrase for name, arm in study.resolved.items()}
    return SpikeFinding(
        task=task.name,
        model=own[0].model,
        shares=[shares[name] for name in study.arm_names if name in shares],
        effective_patients=effective,
        conclusion=found,
        learned=_learned(task, own, contrasts, roles, phrases),
        held=_held(task, shares, phrases),
        sentence=_task_lost(lost, phrases) if found == "task_lost" and lost else _sentence(found, roles, phrases),
        scope=_scope(task, study),
    )


def roles_of(study: Study) -> Roles:
    """Which arm plays which part, whatever their order: those that go on from where the study's treatment does."""
    arms = study.resolved
    about = treatment(arms)
    begun = comparator(about, arms) if about else None
    if begun is None or not begun.trained:  # a study of one stage: nothing goes on from it
        one_stage = about is not None and len(about.stages) == 1
        return Roles(untouched=begun.name if begun else None, archive=about.name) if about and one_stage else Roles()
    untouched = comparator(begun, arms)
    parts: dict[str, str] = {}
    for arm in arms.values():
        if arm.trained and arm.parent == begun.stages and not arm.source:
            last = study.stage_of(arm.name)
            corrected = last is not None and last.kind == _CORRECTED
            part = "longer" if arm.control_of else "corrected" if corrected else "preferences"
            parts.setdefault(part, arm.name)
    return Roles(untouched=untouched.name if untouched else None, archive=begun.name, **parts)


def effective_number(patients: Sequence[str]) -> float:
    """How many cases the held-out ones weigh like, if those of a patient agree entirely: n^2 / sum of squares of the
    patients' numbers of cases (Kish 1965, section 11.7). With as many cases of every patient, the number of patients.
    """
    return len(patients) ** 2 / sum(count * count for count in Counter(patients).values())


def share_of(arm: str, share: float, effective: float) -> SpikeShare:
    """A share with its 95% interval (Wilson 1927), which has width at 0 and at 1 too."""
    low, high = proportion_confint(share * effective, effective, alpha=0.05, method="wilson")
    return SpikeShare(arm=arm, share=share, ci=(max(0.0, float(low)), min(1.0, float(high))))


def lost_the_task(task: TaskPart, contrasts: Sequence[Contrast], roles: Roles) -> Contrast | None:
    """The contrast that shows that preferences cost the main metric: its 95% interval against SFT lies below 0.

    An arm that writes next to nothing writes no error either.
    """
    asked = (task.name, roles.preferences, roles.archive)
    found = next((one for one in contrasts if (one.task, one.a, one.b) == asked), None)
    _, high = gained(found, found.ci) if found else (None, None)
    return found if high is not None and high < 0 else None


def conclude(shares: Mapping[str, SpikeShare], roles: Roles, *, lost: bool = False) -> SpikeConclusion:
    """What the shares of answers with the error allow to say; lost: preferences cost the main metric.

    `task_lost`: after preferences, the upper bound lies below SFT's lower bound, and the task was lost with the error.

    `not_learned`: SFT on the archive did not take it over, so there was nothing to remove.
    `preferences`: the upper bound after preferences lies below the estimate after the corrected answers alone.
    `corrections`: after both, the upper bound lies below SFT's lower bound, and more of the archive overlaps SFT.
    `nothing`: after neither does it. `open`: anything else, or an arm is missing.
    """
    named = (roles.archive, roles.preferences, roles.corrected, roles.longer)
    archive, preferences, corrected, longer = (shares.get(name or "") for name in named)
    if archive is None:
        return "open"
    untouched = shares.get(roles.untouched or "")
    if archive.low <= (untouched.high if untouched else 0.0):
        return "not_learned"
    if preferences is None or corrected is None:
        return "open"
    by_preferences, by_corrected = (one.high < archive.low for one in (preferences, corrected))
    if by_preferences and lost:
        return "task_lost"
    if by_preferences and preferences.high < corrected.share:
        return "preferences"
    if not by_preferences and not by_corrected:
        return "nothing"
    unmoved = longer is not None and longer.low <= archive.high and archive.low <= longer.high
    return "corrections" if by_preferences and by_corrected and unmoved else "open"


def _learned(
    task: TaskPart, cells: Sequence[Cell], contrasts: Sequence[Contrast], roles: Roles, phrases: Mapping[str, str]
) -> str:
    """Whether SFT learned the task at all, by its main metric against the untouched model."""
    before, after = (
        [cell.value for cell in cells if cell.arm == name and cell.value is not None]
        for name in (roles.untouched, roles.archive)
    )
    if not before or not after:
        return "Whether SFT learned the task cannot be said: an arm is missing."
    gained = (
        f"{metric_title(task.metric)} {number(fmean(before))} for {phrases[str(roles.untouched)]}, "
        f"{number(fmean(after))} for {phrases[str(roles.archive)]}"
    )
    asked = (task.name, roles.archive, roles.untouched)
    found = next((one for one in contrasts if (one.task, one.a, one.b) == asked), None)
    if found is not None and found.verdict == "better":
        return f"SFT learned the task: {gained}."
    return f"That SFT learned the task is not shown: {gained}."


def _held(task: TaskPart, shares: Mapping[str, SpikeShare], phrases: Mapping[str, str]) -> str:
    assert task.spike is not None
    each = [f"{one.share:.0%} with {phrases[arm]}" for arm, one in shares.items()]
    return (
        f'"{task.spike.phrase}" stands in {task.spike.share:.0%} of the training answers and in no right one; of the '
        f"held-out answers it stands in {_listed(each)}."
    )


def _sentence(found: SpikeConclusion, roles: Roles, phrases: Mapping[str, str]) -> str:
    named = (roles.archive, roles.preferences, roles.corrected)
    archive, preferences, corrected = (phrases.get(name or "", "an arm") for name in named)
    match found:
        case "preferences":
            return (
                f"Preferences removed it: with {preferences} it is rarer than with {corrected}, which learned from the "
                "same corrected answers."
            )
        case "corrections":
            return (
                "Corrected examples removed it, more of the same archive did not; that preferences did more than the "
                "corrected answers alone is not shown."
            )
        case "nothing":
            return f"Nothing was shown to remove it: {preferences} and {corrected} may have it as often as {archive}."
        case "not_learned":
            return f"There was nothing to remove: {archive} is not shown to have taken the error over."
        case "open" | "task_lost":
            return "What removed it cannot be said: the intervals allow more than one answer, or an arm is missing."


def _task_lost(contrast: Contrast, phrases: Mapping[str, str]) -> str:
    arm = phrases[contrast.a]
    return f"{arm} removed it and lost the task with it: {over(contrast, phrases)}."


def _scope(task: TaskPart, study: Study) -> str:
    seeds = "1 seed" if len(study.seeds) == 1 else f"{len(study.seeds)} seeds"
    return (
        f"With {task.counts.groups_test} held-out patients and {seeds}, differences in {metric_title(task.metric)} "
        "between the trained arms are described, not tested."
    )


def _listed(words: Sequence[str]) -> str:
    return f"{', '.join(words[:-1])} and {words[-1]}" if len(words) > 1 else "".join(words)
