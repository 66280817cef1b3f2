"""The models that a study has beside its `model`, each of which reads the same cases with a tokenizer of its own."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from preceptor.errors import InputError, Problem
from preceptor.models import (
    HEAD,
    MadeModel,
    ModelSource,
    Slot,
    SlotSettings,
    context_length,
    fetch_command,
    fingerprint,
    in_front,
    is_fetched,
    load_tokenizer,
    pieces_read,
    writes,
)
from preceptor.study.spec.found import find_kind
from preceptor.study.spec.paths import further_model, named_model
from preceptor.study.spec.stacks import slots_of
from preceptor.study.spec.stages import StageRef
from preceptor.study.spec.study import Study


@dataclass(frozen=True, slots=True)
class OtherModel:
    """One of them. max_length: the most tokens of a case, see `tokens_read`. hash: names its weights, in the keys of
    stages.
    """

    source: ModelSource
    tokenizer: Any = field(repr=False)
    max_length: int
    hash: str


@dataclass(frozen=True, slots=True)
class OtherModels:
    """By name: those that are here, and of those that are not and may be missing, why their arms are left out."""

    here: Mapping[str, OtherModel] = field(default_factory=dict)
    absent: Mapping[str, str] = field(default_factory=dict)


def find_other_models(
    study: Study, base_folder: Path, find: Callable[[str, Path], ModelSource] = named_model
) -> OtherModels:
    """Those that the study's arms have, but for those that are made; `find` finds one.

    Raises `InputError` with all that is wrong with them.
    """
    here, absent, problems = dict[str, OtherModel](), dict[str, str](), list[Problem]()
    for name, entry in study.other_models.items():
        if isinstance(entry, MadeModel):
            continue  # see `made_models`
        model = entry.model
        if name not in study.models and not is_fetched(model):  # the user asked for an arm, and not for this model
            absent[name] = f"the model {model} is not on this machine; `{fetch_command(model)}` fetches it"
            continue
        try:
            source = further_model(entry, base_folder, find)
            length = tokens_read(study, source, name)
            here[name] = OtherModel(source, load_tokenizer(source), length, fingerprint(source))
        except InputError as error:
            problems += error.problems
    if problems:
        raise InputError(problems)
    return OtherModels(here, absent)


def tokens_read(study: Study, source: ModelSource, name: str | None) -> int:
    """The most tokens of a case that a model is given: `max_length`, or of an encoder that does not read in pieces all
    that it has positions for, beside vectors in front. name: that of the model among the study's `models`; None for its
    `model`.
    """
    known = None if writes(source) or reads_in_pieces(study, name) else context_length(source)
    if known is None:
        return study.max_length
    return min(study.max_length, known - max(map(vectors_in_front, slots_on(study, name)), default=0))


def reads_in_pieces(study: Study, name: str | None) -> bool:
    """Whether every head that reads cases with a model does so in chunks or snippets: all its arms read the same."""
    reading = [stage for stage in stages_on(study, name) if not hasattr(find_kind(stage.kind), "own_head")]
    heads = [slot for stage in reading for slot in slots_of(study, stage)[0].values() if slot.type == HEAD]
    return bool(heads) and all(map(pieces_read, heads))


def vectors_in_front(slots: Mapping[str, Slot]) -> int:
    """The most vectors that any of these slots puts in front of the tokens."""
    front = (slot.settings for slot in slots.values() if isinstance(slot, SlotSettings) and in_front(slot))
    return max((settings["num_virtual_tokens"] for settings in front), default=0)


def slots_on(study: Study, name: str | None) -> list[dict[str, Slot]]:
    """The slots of each stage on a model."""
    return [slots_of(study, stage)[0] for stage in stages_on(study, name)]


def stages_on(study: Study, name: str | None) -> list[StageRef]:
    """Of all stages those on a model, which an arm of another one may rest on. name: as of `tokens_read`."""
    return [stage for stage in stages_of(study) if stage.model == name]


def stages_of(study: Study) -> list[StageRef]:
    """The stages of all arms, each once, and before it what it rests on."""
    last = [stage for arm in study.arm_names if (stage := study.stage_of(arm))]
    return list(dict.fromkeys(stage for one in last for stage in one.required))
