"""What is found in a task's cases as the models of a study read them, before anything is trained."""

from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.markup import escape

from preceptor.data import fit, made_field_cautions, most_of_each_label
from preceptor.errors import Problem
from preceptor.models import context_length, reads_snippets, snippets_of
from preceptor.study.cases import Checked, cannot_answer, read_by, through_view
from preceptor.study.made_models import unknown_codes
from preceptor.study.other_models import OtherModel, OtherModels, slots_on, stages_of, vectors_in_front
from preceptor.study.spec.arms import Arm
from preceptor.study.spec.found import find_kind
from preceptor.study.spec.stages import StageRef
from preceptor.study.spec.study import Study
from preceptor.tasks import DRUGS_OF_VISIT, VISITS_FIELD, read_visits

READ_IN_CHUNKS = "give each head on it `chunk_length` (under `slots`)"
"""What to do where an encoder has too few positions."""


def look_at_cases(
    study: Study, tasks: Sequence[Checked], own: OtherModel, others: OtherModels, console: Console
) -> tuple[list[Problem], list[Problem]]:
    """Show what was found in the cases of each task. What of it is fatal, and what is not, beside what is shown.

    own: the study's `model`.
    """
    problems, warnings = list[Problem](), list[Problem]()
    for each in tasks:
        each.preflight.render(console)
        fatal = [Problem(f"{each.where}, {found.where}", found.what, found.fix) for found in each.preflight.fatal]
        unread, cut = ([], []) if fatal else as_further_models_read(each, study, others)
        unread += [] if fatal else [*unanswered(study, each), *told_labels(each), *refused(study, each)]
        if not fatal and not unread:
            unread = long_snippets(each, study, own, others)
        warned = cautions(study, each) + cut
        for warning in warned:
            console.print(f"[yellow]warning[/yellow] {escape(str(warning))}")
        warnings += warned
        problems += fatal or spike_cut_off(each, own.tokenizer, study.max_length)
        problems += unread
    return problems, warnings


def unanswered(study: Study, checked: Checked) -> list[Problem]:
    """That no arm of the study is for a task."""
    reasons = {name: cannot_answer(study, checked, name) for name in study.arm_names}
    if not all(reasons.values()):
        return []
    why = "; ".join(f"{name}: {reason}" for name, reason in reasons.items())
    return [Problem(checked.where, f"no arm can answer it ({why})", "Name an arm that can, or take the task out.")]


def told_labels(checked: Checked) -> list[Problem]:
    """That visits in codes tell what is asked for: the labels of the present one."""
    task, splits = checked.task, checked.splits
    if not task.set_labels or VISITS_FIELD not in task.fields:
        return []
    visits = [read_visits(one.fields[VISITS_FIELD]) for one in (*splits.train, *splits.validation, *splits.test)]
    if not (told := sum(DRUGS_OF_VISIT in one[-1] for one in visits if one)):
        return []
    what = f"in {told} of {len(visits)} cases the last visit has a set {DRUGS_OF_VISIT}, which is what is asked for"
    fix = "Take it out there: the last line is the present visit, and earlier ones alone have these sets."
    return [Problem(f"{checked.where}, field {VISITS_FIELD}", what, fix)]


def refused(study: Study, checked: Checked) -> list[Problem]:
    """What a stage cannot do with the cases of a task."""
    stages = [stage for stage in stages_of(study) if hasattr(find_kind(stage.kind), "refused")]
    found = [one for stage in stages for one in find_kind(stage.kind).refused(stage, study, checked)]
    return list(dict.fromkeys(found))


def cautions(study: Study, checked: Checked) -> list[Problem]:
    """What is not wrong with a stage on a task, and still worth knowing before it is trained."""
    entry, shown = checked.entry, next((seen.splits for seen in checked.views.values()), None)
    found: list[Problem | None] = [*too_few_of_a_label(study, checked)]
    if shown:
        found += made_field_cautions(entry.fields, checked.task, shown, checked.where)
    for stage in stages_of(study):
        kind = find_kind(stage.kind)
        if hasattr(kind, "caution"):
            found.append(kind.caution(stage, study, checked))
    return list(dict.fromkeys(one for one in found if one))


def too_few_of_a_label(study: Study, checked: Checked) -> list[Problem]:
    """For which arms with `per_label` a label has fewer cases than that, so that they do with those there are."""
    task, found = checked.task, []
    for per_label in sorted({arm.per_label for arm in study.resolved.values() if arm.per_label} if task.labels else ()):
        for part in ("train", "validation"):
            there = most_of_each_label(getattr(checked.splits, part), lambda one: task.parse(one.target))
            if few := [f"{label} {there[label]}" for label in task.labels if there[label] < per_label]:
                what = f"fewer than {per_label} {part} cases of these labels, one a patient: {', '.join(few)}"
                fix = "Give more cases or a smaller `per_label`; else arms with it have those there are."
                found.append(Problem(f"{checked.where}, per_label", what, fix))
    return found


def shown_to(study: Study, checked: Checked) -> list[tuple[str | None, str | None]]:
    """Which models are shown the cases of a task, each with the view: those of the arms that can answer it, and of what
    these learn toward.
    """
    found: list[Arm | StageRef] = []
    for name in study.arm_names:
        arm, last = study.arm(name), study.stage_of(name)
        if (arm.view is None or arm.view in checked.entry.views) and not cannot_answer(study, checked, name):
            found += [arm, *(last.required if last else ())]
    return list(dict.fromkeys((one.model, one.view) for one in found))


def as_further_models_read(checked: Checked, study: Study, others: OtherModels) -> tuple[list[Problem], list[Problem]]:
    """What is wrong with the cases as further models are shown them: that a model which the study names cannot read
    every case; and how many are cut for an encoder that has fewer positions than `max_length`, and how many codes a
    net of codes does not know, which is only told.
    """
    unread, cut = list[Problem](), list[Problem]()
    for name, view in shown_to(study, checked):
        model = others.here.get(name or "")
        if name is None or model is None:
            continue
        if name not in study.models and model.max_length == study.max_length:
            continue  # a usual control, which is left out where it cannot read them
        read = read_by(through_view(checked, view), model)
        where = f"{checked.where}, view {view}, model {name}" if view else f"{checked.where}, model {name}"
        if isinstance(read, str):
            field = f"of view {view}" if view else f"in task {checked.task.name}"
            fix = f"Name a field under `cut:` {field}, shorten its cases, or name another model."
            unread += [Problem(where, read, fix)] if name in study.models else []
        elif read.cut and model.max_length < study.max_length:
            count = len(read.train) + len(read.validation) + len(read.test)
            what = f"{read.cut} of {count} cases are cut to {model.max_length} tokens, all that it has positions for"
            fix = f"To have them read whole, {READ_IN_CHUNKS}; else expect it to miss what stands in their middle."
            cut.append(Problem(where, what, fix))
        if study.knows_codes(name) and not isinstance(read, str):
            unknown, every = unknown_codes(model.tokenizer, read.test)
            what = f"{unknown} of {every} codes in held-out cases stand in no training case, and are passed over"
            fix = "Expect nothing of them, or give coarser codes, of which training cases have all."
            cut += [Problem(where, what, fix)] if unknown else []
    return unread, cut


def long_snippets(checked: Checked, study: Study, own: OtherModel, others: OtherModels) -> list[Problem]:
    """The views of which a snippet has more tokens than an encoder that reads it has positions for. own: the study's
    `model`.
    """
    found = []
    for name, view in shown_to(study, checked):
        slots, model = slots_on(study, name), others.here.get(name) if name else own
        if model is None:
            continue
        if not any(reads_snippets(slot) for some in slots for slot in some.values()):
            continue
        source, known = model.source, context_length(model.source)
        read = read_by(through_view(checked, view), model)
        if known is None or isinstance(read, str):
            continue
        prompts = [*(one.prompt for one in (*read.train, *read.validation)), *read.test]
        longest = max(len(piece) for prompt in prompts for piece in snippets_of(prompt))
        room = known - max(map(vectors_in_front, slots), default=0)
        if longest > room:
            what = f"a snippet has {longest} tokens, and {source.title} has room for {room}"
            where = f"{checked.where}, view {view}" if view else checked.where
            found.append(Problem(where, what, "Lower `words` of its field, or name an encoder with more positions."))
    return found


def spike_cut_off(checked: Checked, tokenizer: Any, max_length: int) -> list[Problem]:
    """That an answer has no room for an error that stands at its end, in most of the cases that learn it."""
    task, learn = checked.task, [one for one in checked.splits.train if one.archive is not None]
    room, cut = task.answer.max_new_tokens, 0
    for one in learn:
        cut += len(fit(task, one, tokenizer, max_length, one.archive).encoded.answer) > room
    if 2 * cut <= len(learn):
        return []
    what = f"{cut} of {len(learn)} answers with the text behind them need more than the {room} tokens of an answer"
    return [Problem(f"{checked.where}, data.spike", what, "Raise `max_new_tokens` in the task file")]
