"""Everything about a study that can be found wrong before anything is trained."""

from pathlib import Path

import torch
from rich.console import Console

from preceptor.chat_server import ChatServer, find_server
from preceptor.engine import find_tracker, idle_slots
from preceptor.errors import InputError, Problem
from preceptor.models import (
    BACKBONE,
    HEAD,
    ModelSource,
    Slot,
    blueprint,
    context_length,
    in_front,
    load_tokenizer,
    slot_title,
    slot_weights,
    writes,
)
from preceptor.preferences import find_maker
from preceptor.study.cases import Checked, check_task, read_task
from preceptor.study.spec.found import find_answer, find_kind
from preceptor.study.spec.paths import gold_of, model_of, votes_of
from preceptor.study.spec.stages import StageRef
from preceptor.study.spec.study import Study


def check_study(study: Study, base_folder: Path, console: Console) -> list[Checked]:
    """Read and look at every task's cases before anything is trained. Raises `InputError` with all that is fatal."""
    problems: list[Problem] = []
    tokenizer = None
    try:
        source = model_of(study, base_folder)
        tokenizer = load_tokenizer(source)
        problems += cannot_write(source, study) or unfit_slots(source, study)
        problems += too_long_for(source, study)
    except InputError as error:
        problems += error.problems
    for way in {study.arm(arm).answer for arm in study.arm_names}:
        if isinstance(server := study.block(way), ChatServer):
            problems += find_server(server, way)
    for stage in _stages(study):
        kind = find_kind(stage.kind)
        for entry in study.tasks if hasattr(kind, "problems") else ():
            problems += [
                one for one in kind.problems(study.settings_of(stage, entry), base_folder) if one not in problems
            ]
    if study.judge and "judge" in study.maker_settings:
        problems += find_server(study.judge, "judge")
    problems += find_tracker(study.report_to) if study.report_to else []
    if "votes" in study.maker_settings and (store := votes_of(study, base_folder)) and not store.is_file():
        fix = "Run `preceptor label` with this study first, or put `votes` right."
        problems.append(Problem(str(store), "there is no store of votes here", fix))
    for entry in study.tasks:
        if (gold := gold_of(entry, base_folder)) and not gold.is_file():
            fix = "Put `gold` right, or take it out."
            problems.append(Problem(str(gold), "there is no store of gold labels here", fix))
    checked: list[Checked] = []
    for entry in study.tasks:
        try:
            one = read_task(entry, study, base_folder)
            if tokenizer is not None:
                checked.append(check_task(one, study, tokenizer))
        except InputError as error:
            problems += error.problems
    for each in checked:
        each.preflight.render(console)
        problems += [Problem(f"{each.where}, {found.where}", found.what, found.fix) for found in each.preflight.fatal]
    for maker in study.makers:
        why = [find_maker(maker).unsupported_reason(each.task, each.splits.train) for each in checked]
        if why and all(why):
            problems.append(Problem("makers", f"{maker} can make pairs for no task: {why[0]}", "Take it out."))
    names = [one.task.name for one in checked]
    problems += [
        Problem(f"task {name}", "it stands twice in the study", "Give each task file a name of its own.")
        for name in sorted({name for name in names if names.count(name) > 1})
    ]
    if problems:
        raise InputError(problems)
    return checked


def cannot_write(source: ModelSource, study: Study) -> list[Problem]:
    """The arms that write, if the model is an encoder, which does not."""
    if writes(source):
        return []
    fix = "End it with `classify`, or name a causal model."
    what = f"it writes text, and {source.title} is an encoder"
    return [Problem(f"arms: {arm}", what, fix) for arm in study.arm_names if _writes(study, arm)]


def unfit_slots(source: ModelSource, study: Study) -> list[Problem]:
    """The slots that the model cannot have, and those that a stage would train in vain; the model has no weights."""
    found: dict[str, Problem] = {}
    for slots, learning, by_head in _stacks(study):
        try:
            model = blueprint(source, slots, torch.float32)
            sizes = {
                name: sum(one.numel() for one in slot_weights(model, name).values()) for name in (*slots, BACKBONE)
            }
            idle = idle_slots(model, learning, by_head=by_head)
        except InputError as error:
            found |= {str(problem): problem for problem in error.problems}
        except Exception as error:  # settings of a slot are PEFT's own, and so is what its code makes of them
            if _runs_without_slots(source, by_head):
                where = " and ".join(map(slot_title, slots))
                what = f"PEFT cannot run it on this model: {' '.join(str(error).split())[:200]}"
                found[where] = Problem(where, what, "Change its settings, or take another type.")
        else:
            reads = "the hidden state that the head reads" if by_head else "what the model writes"
            what = f"it would learn nothing, for it takes no part in {reads}"
            fix = "Leave it out of `train`, or change its type or target_modules."
            found |= {one: Problem(slot_title(one), what, fix) for one in idle}
            for one in (name for name in slots if sizes[name] > sizes[BACKBONE]):
                what = f"it has {sizes[one]:,} numbers, and the whole model has {sizes[BACKBONE]:,}"
                found[one] = Problem(slot_title(one), what, "Lower its rank, or as it may be its number of vectors.")
    return list(found.values())


def _stacks(study: Study) -> list[tuple[dict[str, Slot], list[str], bool]]:
    """The adapters that are active in each stage, those of them that learn, and whether a head is what reads them."""
    stacks = []
    for stage in _stages(study):
        slots, train = study.slots_of(stage)
        adapters = {name: slot for name, slot in slots.items() if slot.type != HEAD}
        stack = adapters, [name for name in train if name in adapters], len(adapters) < len(slots)
        if find_kind(stage.kind).makes == "policy" and stack[1] and stack not in stacks:
            stacks.append(stack)
    plain = not study.slots and getattr(study.adapter, "target_modules", None) == "all-linear"
    return [] if plain else stacks


def _runs_without_slots(source: ModelSource, by_head: bool) -> bool:
    try:
        idle_slots(blueprint(source, {}, torch.float32), [], by_head=by_head)
    except Exception:
        return False
    return True


def _writes(study: Study, arm: str) -> bool:
    way, last = find_answer(study.arm(arm).answer), study.stage_of(arm)
    if way.asks_policy and not getattr(way, "needs_head", False):
        return True
    return any(not getattr(find_kind(one.kind), "trains_head", False) for one in (last.required if last else ()))


def _stages(study: Study) -> list[StageRef]:
    last = [stage for arm in study.arm_names if (stage := study.stage_of(arm))]
    return list(dict.fromkeys(stage for one in last for stage in one.required))


def too_long_for(source: ModelSource, study: Study) -> list[Problem]:
    """That the study's `max_length` exceeds the model's context length, if it does."""
    known = context_length(source)
    front = max((slot.settings["num_virtual_tokens"] for slot in study.slots.values() if in_front(slot)), default=0)
    if known is None or study.max_length + front <= known:
        return []
    more = f" beside {front} vectors in front of them" if front else ""
    what = f"{study.max_length} tokens are asked for{more}, and the context length of {source.title} is {known}"
    return [Problem("max_length", what, f"Set it to {known - front} or less, or name a model with a longer one.")]
