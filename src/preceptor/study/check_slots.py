"""What is wrong with a study's slots on its model, found on the model without weights before anything is trained."""

from collections.abc import Iterator

import torch

from preceptor.engine import idle_slots
from preceptor.errors import InputError, Problem
from preceptor.models import (
    BACKBONE,
    HEAD,
    Chunks,
    ModelSource,
    Slot,
    SlotSettings,
    blueprint,
    chunks_read,
    context_length,
    load_tokenizer,
    reads_pieces,
    reads_snippets,
    slot_title,
    slot_weights,
    writes,
)
from preceptor.study.other_models import slots_on, stages_of, stages_on, vectors_in_front
from preceptor.study.spec.found import find_kind
from preceptor.study.spec.stacks import slots_of
from preceptor.study.spec.study import Study

Stack = tuple[dict[str, Slot], list[str], bool]
"""The adapters that are active in a stage, the names of those that learn, and whether a head is what reads them."""


def unfit_slots(source: ModelSource, study: Study, name: str | None = None) -> list[Problem]:
    """The slots that the model cannot have, those larger than itself, and those that a stage would train in vain.

    name: that of the model among the study's `models`; None for its `model`.
    """
    if problems := [
        *_blind_heads(source, study, name),
        *_unfit_snippets(source, study, name),
        *_unfit_chunks(source, study, name),
        *_heads_of_texts(source, study, name),
    ]:
        return list(dict.fromkeys(problems))
    plain = not study.slots and getattr(study.adapter, "target_modules", None) == "all-linear"
    stacks = [] if plain else _stacks(study, name)
    return list(dict.fromkeys(problem for stack in stacks for problem in _problems(source, stack)))


def _blind_heads(source: ModelSource, study: Study, model: str | None) -> Iterator[Problem]:
    heads = {name: slot for slots in slots_on(study, model) for name, slot in slots.items()}
    for name, slot in heads.items():
        if isinstance(slot, SlotSettings) and slot.settings.get("pool") == "first" and writes(source):
            what = f"the first token of {source.title} sees no other, so the head would read the same of every case"
            yield Problem(slot_title(name), what, "Take `pool: last`, `mean` or `attention`.")


def _unfit_snippets(source: ModelSource, study: Study, model: str | None) -> Iterator[Problem]:
    """Heads that cannot read in snippets with this model."""
    for name, slot in ((name, slot) for slots in slots_on(study, model) for name, slot in slots.items()):
        if reads_snippets(slot) and not reads_pieces(load_tokenizer(source)):
            what = f"snippets are for encoders; {source.title} reads those of a case as one text"
            yield Problem(slot_title(name), what, "Take `pool: last`, `mean` or `attention`, or name an encoder.")


def _heads_of_texts(source: ModelSource, study: Study, model: str | None) -> Iterator[Problem]:
    """Stages with a head of their own, which learn from texts, on a model that is made to know codes."""
    for stage in stages_on(study, model) if study.knows_codes(model) else ():
        if hasattr(find_kind(stage.kind), "own_head"):
            what = f"it learns from texts, and {source.title} knows nothing but the codes of training cases"
            yield Problem(f"stage {stage.name}", what, "Take it out, or name another model.")


def _unfit_chunks(source: ModelSource, study: Study, model: str | None) -> Iterator[Problem]:
    """Heads that cannot read in chunks with this model."""
    for slots in slots_on(study, model):
        for name, slot in slots.items():
            if (chunks := chunks_read(slot)) and (why := _no_chunks(source, chunks, vectors_in_front(slots))):
                yield Problem(slot_title(name), *why)


def _no_chunks(source: ModelSource, chunks: Chunks, front: int) -> tuple[str, str] | None:
    """What is wrong with such chunks on this model, and the fix; None where nothing is."""
    if writes(source):
        what = f"chunks are for encoders; later ones would not begin with the prompt that {source.title} expects"
        return f"chunk_length: {what}", "Take it out; `max_length` says how much of a case is read."
    known = context_length(source)
    if known is not None and chunks.length + front > known:
        more = f" beside {front} vectors in front of them" if front else ""
        what = f"{chunks.length} tokens are asked for{more}, and {source.title} has {known} positions"
        return f"chunk_length: {what}", f"Set it to {known - front} or less."
    if len(load_tokenizer(source)("")["input_ids"]) != 2:
        what = f"the tokenizer of {source.title} does not put one token in front of a text and one behind it"
        return f"chunk_length: {what}", "Take it out, or name another encoder."
    return None


def idle_settings(study: Study) -> list[Problem]:
    """Slots that no stage of an arm asks for, and chunks as long as the longest case, which no case is parted into."""
    found = []
    asked = {name for stage in stages_of(study) for name in slots_of(study, stage)[0]}
    for name, slot in study.slots.items():
        chunks = chunks_read(slot)
        if name not in asked:
            what = "no stage of an arm asks for it, so it does nothing"
            found.append(Problem(slot_title(name), what, "Name it under `train` or `use` of a stage, or take it out."))
        elif chunks and chunks.length >= study.max_length:
            what = f"chunk_length: cases are cut to {study.max_length} tokens (`max_length`), so each is one chunk"
            found.append(Problem(slot_title(name), what, "Raise `max_length` to what long cases have, or take it out."))
    return found


def _stacks(study: Study, model: str | None) -> list[Stack]:
    stacks = []
    for stage in stages_on(study, model):
        slots, train = slots_of(study, stage)
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
