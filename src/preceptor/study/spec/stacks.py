"""The slots of a study's stages: which are active in each and which learn, and what is wrong with them."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from preceptor.models import (
    BACKBONE,
    HEAD,
    RESERVED_NAMES,
    AdapterSettings,
    Slot,
    SlotSettings,
    adapter_slots,
    stack_problem,
)
from preceptor.study.spec.found import find_kind
from preceptor.study.spec.stage_entry import entry_of
from preceptor.study.spec.stages import StageRef

if TYPE_CHECKING:
    from preceptor.study.spec.study import Study


def slots_of(study: "Study", stage: StageRef, labels: int = 1) -> tuple[dict[str, Slot], tuple[str, ...]]:
    """The slots that are active in a stage, and the names of those that learn: `backbone` where every weight does.

    labels: how many outputs a head has. A stage that makes no policy has the slots of the one before it.
    """
    kind, entry = find_kind(stage.kind), entry_of(stage.name, study.stages)
    if kind.makes != "policy" and stage.after:
        return slots_of(study, stage.after, labels)
    named, use = (entry.train, entry.use) if entry else ((), ())
    heads = _heads(study, labels, kind) if getattr(kind, "trains_head", False) else {}
    heads = {name: head for name, head in heads.items() if name in named} or heads
    adapters = {} if study.is_made(stage.model) else _adapters(study, kind)
    train = tuple(dict.fromkeys([*(named or [one for one in adapters if one not in use]), *heads]))
    active = {name: slot for name, slot in (adapters | heads).items() if name in {*train, *use}}
    whole = adapter_of(study, kind, stage.model) is None
    return active, (BACKBONE, *train) if whole else train


def adapter_of(study: "Study", kind: Any, model: str | None = None) -> AdapterSettings | None:
    """The adapter of a stage of this kind without `slots`: the study's, and the usual one of a kind that brings its
    own model along; None where every weight learns. model: that of the stage among `models`.
    """
    if study.is_made(model):
        return None
    return AdapterSettings() if hasattr(kind, "model") else study.adapter


def most_slots(study: "Study", model: str | None = None) -> dict[str, Slot]:
    """The slots of the stage that has most of them, of those with this model: what a plan counts on."""
    slots = [slots_of(study, stage)[0] for stage in _stages(study) if stage.model == model]
    return max(slots, key=len, default={} if study.is_made(model) else _adapters(study))


def _adapters(study: "Study", kind: Any = None) -> dict[str, Slot]:
    if study.slots and not hasattr(kind, "model"):
        return {name: slot for name, slot in study.slots.items() if slot.type != HEAD}
    return adapter_slots(adapter_of(study, kind))


def _heads(study: "Study", labels: int, kind: Any) -> dict[str, Slot]:
    """The study's heads; of a kind that has a head of its own, that one alone."""
    if own := getattr(kind, "own_head", None):
        return {own: SlotSettings(type=HEAD, outputs=labels, pool="mean")}
    named = {name: slot.settings for name, slot in study.slots.items() if slot.type == HEAD} or {HEAD: {}}
    return {name: SlotSettings(type=HEAD, outputs=labels, **settings) for name, settings in named.items()}


def _stages(study: "Study") -> list[StageRef]:
    """Every stage that an arm needs, each once."""
    last = [stage for name in study.resolved if (stage := study.stage_of(name))]
    return list(dict.fromkeys(stage for one in last for stage in one.required))


def slot_problems(study: "Study") -> Iterator[str]:
    """What is wrong with the study's slots, and with what stages say of them, before arms are known."""
    yield from (f"slots: {name}: take another name" for name in study.slots if name in RESERVED_NAMES)
    if HEAD in study.slots and study.slots[HEAD].type != HEAD:
        yield f"slots: {HEAD}: only a slot of type {HEAD} can have this name"
    for name, slot in study.slots.items():
        if slot.type == HEAD and "outputs" in slot.settings:
            yield f"slots: {name}: a head has an output for each label of the task; take `outputs` out"
    if study.adapter is None and any(slot.type != HEAD for slot in study.slots.values()):
        yield "slots: they stand on a frozen model, and `adapter: none` tunes every weight; take one out"
    if study.slots and study.numerics.processes > 1:
        yield "slots: several processes train one `adapter` together, and no named slots; set processes: 1"
    for name, entry in study.stages.items():
        if unknown := sorted({*entry.train, *entry.use} - {*study.slots, HEAD}):
            yield f"stages: {name}: there is no slot {', '.join(unknown)}; name it in `slots`"
        if entry.model and entry.model not in study.models:
            yield f"stages: {name}: there is no model {entry.model}; name it in `models`"
        if len({*entry.train}) < len(entry.train) or len({*entry.use}) < len(entry.use):
            yield f"stages: {name}: name each slot only once"
        if both := sorted({*entry.train} & {*entry.use}):
            yield f"stages: {name}: {', '.join(both)} cannot both learn and stay frozen"


def stack_problems(study: "Study") -> Iterator[str]:
    """Slots of a stage that cannot be active together, and those of the stage before it that would be lost."""
    for stage in _stages(study):
        active, train = slots_of(study, stage)
        entry = entry_of(stage.name, study.stages)
        use = {*entry.use} if entry and find_kind(stage.kind).makes == "policy" else set()
        before = slots_of(study, stage.after)[0] if stage.after else {}
        if problem := stack_problem(active):
            yield f"stages: {stage.name}: {problem}"
        if headless := sorted({*train} - {*active, BACKBONE}):
            yield f"stages: {stage.name}: {stage.kind} trains no head, so it cannot train {', '.join(headless)}"
        if idle := sorted(use - before.keys()):
            yield f"stages: {stage.name}: no stage before it trained {', '.join(idle)}; take it out of `use`"
        if len(heads := [name for name in train if name in active and active[name].type == HEAD]) > 1:
            yield f"stages: {stage.name}: it trains one head; name one of {', '.join(heads)} in `train`"
        if not train:
            yield f"stages: {stage.name}: it would train nothing; name a slot in `train`"
        lost = sorted(name for name in {*before} - {*active} if before[name].type != HEAD)
        if lost:
            yield f"stages: {stage.name}: what {', '.join(lost)} learned before it would be lost; name it in `use`"
