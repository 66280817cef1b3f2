"""A stage that the study file names, beside those that a kind's own name stands for."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from preceptor.errors import invalid_entries
from preceptor.study.spec.found import Kind, answer_names, find_kind, find_settings, kind_names

Name = Annotated[str, Field(pattern=r"^\w[\w.+@-]*$", max_length=100)]
"""Of a stage or an arm."""


def _slot_name(name: str) -> str:
    if not re.fullmatch(r"[a-z][A-Za-z0-9_]{0,39}", name):
        raise ValueError("a slot's name begins with one of a to z and has at most 40 letters of English, digits and _")
    return name


SlotName = Annotated[str, AfterValidator(_slot_name)]
BASE = "base"
"""The arm of the untouched model, and the part of a name that stands for no stage."""

_OF_A_POLICY = ("compute_of", "train", "use", "model")
"""Settings of stages that train one."""


class Toward(BaseModel):
    """What a stage also learns to come near: the targets that the stage of this name made, and with which weight.

    permute: a control in which each case has the target of another patient's, drawn by the seed.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    states: Name
    weight: float = Field(default=0.4, gt=0, allow_inf_nan=False)
    permute: bool = Field(default=False, exclude_if=lambda permute: not permute)


class StageEntry(BaseModel):
    """A stage: its kind, what it comes after, and settings of its kind."""

    model_config = ConfigDict(frozen=True, extra="allow")

    kind: str
    after: Name | None = None
    """The stage whose policy it starts from; by default the one before it in its arm."""
    compute_of: Name | None = None
    """It goes on for the floating-point operations that this arm takes behind the stage it comes after."""
    train: tuple[SlotName, ...] = ()
    """The slots that learn; by default every adapter not in `use`, and of a kind that trains a head every head too."""
    use: tuple[SlotName, ...] = ()
    """Further slots, which are active and frozen."""
    model: Name | None = Field(default=None, exclude_if=lambda model: model is None)
    """One of the study's `models`, which the whole arm then has; by default that of the stage before it."""

    toward: Toward | None = Field(default=None, exclude_if=lambda toward: toward is None)
    """What it learns from beside its own data, of a stage that makes targets."""

    @property
    def settings(self) -> dict[str, Any]:
        """The kind's settings that stand here."""
        return dict(self.model_extra or {})


Entries = Mapping[str, StageEntry]
"""The stages that the study file names, by name."""


def source_of(stage: str) -> str:
    """What stands behind `@` in a stage's name: `dpo@judge` -> `judge`; empty where nothing does."""
    return stage.partition("@")[2]


def entry_of(stage: str, entries: Entries) -> StageEntry | None:
    """What the study file says of a stage, whatever its source; None for a kind's own name."""
    return entries.get(stage.partition("@")[0])


def kind_of(stage: str, entries: Entries) -> str:
    """The kind of a stage: what the study file says of its name, else the name itself without its source."""
    entry = entry_of(stage, entries)
    return entry.kind if entry else stage.partition("@")[0]


def named_model(stage: str, entries: Entries) -> str | None:
    """The name of the model that a stage asks for, or that its kind brings along, by the kind's name; None for any."""
    entry, kind = entry_of(stage, entries), kind_of(stage, entries)
    if entry and entry.model:
        return entry.model
    return kind if kind in kind_names() and hasattr(find_kind(kind), "model") else None


def with_ancestors(stages: Sequence[str], entries: Entries) -> tuple[str, ...]:
    """An arm's stages; its first one behind all that it comes `after`."""
    if not stages:
        return ()
    return (*reversed(_ancestors(stages[0], entries)[1:]), *stages)


def entry_problems(entries: Entries) -> Iterator[str]:
    """What is wrong with the stages that a study names: names, kinds, settings, and stages after themselves."""
    for name, entry in entries.items():
        if name in (BASE, *answer_names(), *kind_names()) or {"+", "@"} & set(name):
            yield f"{name}: an arm could not name it; take a name of its own, without + and @"
        if entry.kind not in kind_names():
            yield f"{name}: there is no kind {entry.kind!r}; use one of {', '.join(kind_names())}"
            continue
        settings = find_settings(entry.kind)
        try:
            if entry.settings and settings:
                settings.model_validate(entry.settings)
        except ValidationError as error:
            for place, what, _ in invalid_entries(error, "setting"):
                yield f"{name}.{place}: {what}" if place else f"{name}: {what}"
        if comes_after_itself(name, entries):
            yield f"{name} comes after itself"
        yield from _target_problems(name, entry, entries)
        if entry.after and entry.after not in entries and kind_of(entry.after, entries) not in kind_names():
            yield f"{name}: there is no stage {entry.after!r} that it could come after"


def _target_problems(name: str, entry: StageEntry, entries: Entries) -> Iterator[str]:
    """Of stages that make targets, and of those that learn from them."""
    if _makes_targets(name, entries):
        before = kind_of(entry.after, entries) if entry.after else ""
        if before not in kind_names() or not _answers_by_head(find_kind(before)):
            known = "one that trains a head on the task's labels"
            yield f"{name}: name the stage whose states it keeps as `after`, {known}"
        if ignored := [setting for setting in _OF_A_POLICY if getattr(entry, setting)]:
            yield f"{name}: it reads with what the stage before it trained; take {', '.join(ignored)} out"
    if entry.toward is None:
        return
    if not getattr(find_kind(entry.kind), "learns_targets", False):
        yield f"{name}: {entry.kind} cannot learn `toward` states; classify can"
    if _rests_on_itself(name, entries) and not comes_after_itself(name, entries):
        yield f"{name}.toward: {entry.toward.states} keeps states of what comes of {name} itself"
    if not _makes_targets(entry.toward.states, entries):
        there = [one for one in entries if _makes_targets(one, entries)]
        known = f"name one of {', '.join(there)}" if there else "name a stage of kind states under `stages`"
        yield f"{name}.toward: {entry.toward.states} makes no states; {known}"


def _rests_on_itself(name: str, entries: Entries) -> bool:
    """Whether what a stage comes after and learns toward leads back to it."""
    seen, ahead = set[str](), [name]
    while ahead:
        entry = entry_of(ahead.pop(), entries)
        before = [entry.after, entry.toward.states if entry.toward else None] if entry else []
        found = {one.partition("@")[0] for one in before if one} - seen
        if name in found:
            return True
        seen |= found
        ahead += sorted(found)
    return False


def _answers_by_head(kind: Kind) -> bool:
    """Whether a stage of this kind trains a head on the task's labels, which reads every case."""
    return bool(getattr(kind, "trains_head", False)) and not hasattr(kind, "own_head")


def _makes_targets(name: str, entries: Entries) -> bool:
    entry = entries.get(name)
    return entry is not None and entry.kind in kind_names() and find_kind(entry.kind).makes == "targets"


def comes_after_itself(stage: str, entries: Entries) -> bool:
    """Whether what a stage comes after leads back to it."""
    entry = entry_of(stage, entries)
    return bool(entry and entry.after and stage in _ancestors(entry.after, entries))


def _ancestors(stage: str, entries: Entries) -> list[str]:
    found = [stage]
    while (entry := entry_of(found[-1], entries)) and entry.after and entry.after not in found:
        found.append(entry.after)
    return found
