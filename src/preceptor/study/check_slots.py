"""What is wrong with a study's slots on its model, found on the model without weights before anything is trained."""

from collections.abc import Iterator

import torch

from preceptor.engine import idle_slots
from preceptor.errors import InputError, Problem
from preceptor.models import (
    BACKBONE,
    HEAD,
    ModelSource,
    Slot,
    SlotSettings,
    blueprint,
    slot_title,
    slot_weights,
    writes,
)
from preceptor.study.spec.found import find_kind
from preceptor.study.spec.stages import StageRef
from preceptor.study.spec.study import Study

Stack = tuple[dict[str, Slot], list[str], bool]
"""The adapters that are active in a stage, the names of those that learn, and whether a head is what reads them."""


def unfit_slots(source: ModelSource, study: Study, name: str | None = None) -> list[Problem]:
    """The slots that the model cannot have, those larger than itself, and those that a stage would train in vain.

    name: that of the model among the study's `models`; None for its `model`.
    """
    if problems := list(_blind_heads(source, study, name)):
        return problems
    plain = not study.slots and getattr(study.adapter, "target_modules", None) == "all-linear"
    stacks = [] if plain else _stacks(study, name)
    return list(dict.fromkeys(problem for stack in stacks for problem in _problems(source, stack)))


def _blind_heads(source: ModelSource, study: Study, model: str | None) -> Iterator[Problem]:
    used = {name for stage in stages_of(study) if stage.model == model for name in study.slots_of(stage)[0]}
    for name, slot in study.slots.items():
        if (
            name in used
            and slot.type == HEAD
            and isinstance(slot, SlotSettings)
            and slot.settings.get("pool") == "first"
            and writes(source)
        ):
            what = f"the first token of {source.title} sees no other, so the head would read the same of every case"
            yield Problem(slot_title(name), what, "Take `pool: last`, `mean` or `attention`.")


def stages_of(study: Study) -> list[StageRef]:
    """The stages of all arms, each once, and before it what it rests on."""
    last = [stage for arm in study.arm_names if (stage := study.stage_of(arm))]
    return list(dict.fromkeys(stage for one in last for stage in one.required))


def _stacks(study: Study, model: str | None) -> list[Stack]:
    stacks = []
    for stage in (one for one in stages_of(study) if one.model == model):
        slots, train = study.slots_of(stage)
        adapters = {name: slot for name, slot in slots.items() if slot.type != HEAD}
        stack = adapters, [name for name in train if name in adapters], len(adapters) < len(slots)
        if find_kind(stage.kind).makes == "policy" and stack[1] and stack not in stacks:
            stacks.append(stack)
    return stacks


def _problems(source: ModelSource, stack: Stack) -> list[Problem]:
    slots, learning, by_head = stack
    try:
        model = blueprint(source, slots, torch.float32)
        if large := list(_larger_than_the_model(model, slots)):
            return large
        idle = idle_slots(model, learning, by_head=by_head)
    except InputError as error:
        return error.problems
    except Exception as error:  # settings of a slot are PEFT's own, and so is what its code makes of them
        if not _runs_without_slots(source, by_head):
            return []
        what = f"PEFT cannot run it on this model: {' '.join(str(error).split())[:200].rstrip('.')}"
        fix = "Change its settings, or take another type."
        return [Problem(" and ".join(map(slot_title, slots)), what, fix)]
    what = f"it would learn nothing, for it takes no part in {'the state that a head reads' if by_head else 'the text'}"
    fix = "Leave it out of `train`, or change its type or target_modules."
    return [Problem(slot_title(name), what, fix) for name in idle]


def _larger_than_the_model(model: torch.nn.Module, slots: dict[str, Slot]) -> Iterator[Problem]:
    size = {name: sum(one.numel() for one in slot_weights(model, name).values()) for name in (*slots, BACKBONE)}
    for name in slots:
        if size[name] > size[BACKBONE]:
            what = f"it has {size[name]:,} numbers, and the model itself has {size[BACKBONE]:,}"
            yield Problem(slot_title(name), what, "Lower its rank, or how many vectors it has.")


def _runs_without_slots(source: ModelSource, by_head: bool) -> bool:
    try:
        idle_slots(blueprint(source, {}, torch.float32), [], by_head=by_head)
    except Exception:
        return False
    return True
