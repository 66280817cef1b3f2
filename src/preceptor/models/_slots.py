"""Slots: the named parts of a policy that may learn. `use` is the one door that says which are active and which learn.

A slot is a PEFT adapter of any kind, by PEFT's own configuration, or a head: a linear layer on hidden states.
"""

import math
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import fields
from typing import Any, Literal, Self

from peft import PEFT_TYPE_TO_CONFIG_MAPPING, LoraConfig, PeftConfig, PeftModel, PeftType
from peft.tuners.tuners_utils import BaseTunerLayer
from pydantic import BaseModel, ConfigDict, Field, model_validator
from torch import Tensor, nn

from preceptor.models._chunks import CHUNK_SETTINGS, Chunks, chunks_of, snippets_of
from preceptor.models._head import SNIPPET_POOLS, head_problems, heads_of

DEFAULT = "default"
"""The slot of a study that names none: its `adapter`."""
HEAD = "head"
"""The type of a slot that is a linear layer on hidden states, in place of PEFT's name of an adapter."""
BACKBONE = "backbone"
"""Stands among slots for the model's own weights, where every weight is tuned."""

RESERVED_NAMES = {DEFAULT, BACKBONE, *dir(nn.ModuleDict())}
"""What no slot can be called: torch holds slots by their names, as attributes."""

_PROMPTS = ("PREFIX_TUNING", "PROMPT_TUNING", "P_TUNING")
"""Kinds whose vectors stand in front of the tokens: they live outside the layers."""
_UNPLANNED = "it cannot be made without the numbers of the model's weights, as a plan makes it"
_REFUSED = {
    "ADALORA": "its ranks follow a schedule that no optimizer step knows of",
    "ADAMSS": _UNPLANNED,
    "ADAPTION_PROMPT": "it replaces the attention of Llama models",
    "BOFT": _UNPLANNED,
    "CARTRIDGE": "its keys and values come from a text that is read beforehand",
    "CPT": "it needs the text that it begins with as token ids",
    "FROD": _UNPLANNED,
    "MULTITASK_PROMPT_TUNING": "it needs the number of the task beside every text",
    "OSF": "it replaces the weights of the model itself",
    "POLY": "it needs the number of the task beside every text",
    "TINYLORA": "PEFT does not read back what it wrote of it",
    "TRAINABLE_TOKENS": "it changes rows of the vocabulary, which stays as it is",
    "UNILORA": _UNPLANNED,
    "XLORA": "it is a mixture of adapters that were trained before",
}
NOT_THE_USERS = {one.name for one in fields(PeftConfig)} | {
    *("layer_replication", "megatron_config", "megatron_core", "trainable_token_indices"),
    *("num_attention_heads", "num_layers", "num_transformer_submodules", "token_dim"),
    *("prompt_tuning_init_text", "tokenizer_kwargs", "tokenizer_name_or_path"),
}
"""What PEFT finds in the model or writes itself, and settings that reach beyond a slot: to layers, modules, files."""
_STARTS = ("gaussian", "orthogonal")
"""How LoRA may begin beside PEFT's own default: `pissa`, `olora`, `corda` and others take a part out of the model."""


class AdapterSettings(BaseModel):
    """LoRA (Hu et al. 2021, arXiv 2106.09685): W + (alpha / rank) B A on the `target_modules`.

    `all-linear` is every linear layer except the output layer. There is no dropout: DPO's margins must be 0 before
    the first step.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    rank: int = Field(default=16, ge=1, le=1024)
    alpha: int = Field(default=32, ge=1)
    target_modules: Literal["all-linear"] | tuple[str, ...] = "all-linear"
    dropout: Literal[0] = 0

    @property
    def type(self) -> str:
        """PEFT's name of its kind."""
        return "LORA"

    def peft_config(self, task: str) -> PeftConfig:
        """PEFT's configuration for a model of this task (`CAUSAL_LM`)."""
        modules = self.target_modules
        return LoraConfig(
            task_type=task,
            r=self.rank,
            lora_alpha=self.alpha,
            lora_dropout=self.dropout,
            target_modules=modules if isinstance(modules, str) else list(modules),
        )


class SlotSettings(BaseModel):
    """A slot by its `type`, PEFT's name of an adapter (`LORA`, `IA3`, `PREFIX_TUNING`), with PEFT's own settings of it;
    or `head`, with as many `outputs` as there are labels, by `pool` which hidden states it reads, and by `chunk_length`
    and `chunk_overlap` the pieces in which it reads long cases.

    Raises ValueError for settings that PEFT refuses, for dropout and for kinds that need more than a configuration.
    """

    model_config = ConfigDict(frozen=True, extra="allow")

    type: str

    @model_validator(mode="after")
    def _known(self) -> Self:
        if self.type == HEAD:
            if problems := head_problems(self.settings):
                raise ValueError("; ".join(problems))
            return self
        if self.type in _REFUSED:
            raise ValueError(f"a slot cannot be of type {self.type}: {_REFUSED[self.type]}")
        if self.type not in adapter_types():
            known = ", ".join(adapter_types())
            raise ValueError(f"there is no slot of type {self.type!r}; use {HEAD} or one of {known}")
        for name, value in self.settings.items():
            if why := _setting_problem(name, value):
                raise ValueError(why)
        try:
            config: Any = self.peft_config("CAUSAL_LM")
        except (TypeError, ValueError) as error:
            why = str(error).removesuffix(".")
            raise ValueError(f"PEFT refuses these settings of {self.type}: {why}") from None
        if self.type == "IA3" and "target_modules" in self.settings:  # else PEFT writes what it does not read again
            within = self.settings.get("feedforward_modules")
            if within is None or (within and self.settings["target_modules"] == "all-linear"):
                raise ValueError("feedforward_modules must be [] or those of a list of target_modules")
        for name in ("num_virtual_tokens", "encoder_hidden_size") if in_front(self) else ():
            needed = name in self.settings or name == "num_virtual_tokens" or self.type == "P_TUNING"
            if needed and not _is_count(getattr(config, name, 1)):
                raise ValueError(f"{name} must be a whole number of at least 1")
        return self

    @property
    def settings(self) -> dict[str, Any]:
        """Everything but the type."""
        return dict(self.model_extra or {})

    def peft_config(self, task: str) -> PeftConfig:
        """PEFT's configuration for a model of this task (`CAUSAL_LM`)."""
        return PEFT_TYPE_TO_CONFIG_MAPPING[PeftType(self.type)](task_type=task, **self.settings)


def adapter_types() -> list[str]:
    """PEFT's names of the adapters that a slot can be."""
    return sorted({kind.value for kind in PEFT_TYPE_TO_CONFIG_MAPPING} - _REFUSED.keys())


def _setting_problem(name: str, value: Any) -> str | None:
    """What is wrong with one of PEFT's settings, that PEFT takes or says in no words that help."""
    if name in CHUNK_SETTINGS:
        return f"{name} is a setting of a head, which reads the case; take it out"
    if name in NOT_THE_USERS:
        return f"{name} is no setting of a slot; take it out"
    if "dropout" in name and value:
        return f"{name} must be 0: dropout would part a policy from itself as its reference"
    if name == "modules_to_save":
        return "modules_to_save is not a part of a slot; name a head, or set `adapter: none`"
    if name == "bias" and value not in (None, False, "none"):
        return "bias would tune weights of the model itself; take it out, or set `adapter: none`"
    if name == "init_lora_weights" and value not in (True, False, *_STARTS):
        return (
            f"init_lora_weights must be true, false, {' or '.join(_STARTS)}: others take a part out of the model itself"
        )
    if name == "prompt_tuning_init" and value not in ("RANDOM", "SAMPLE_VOCAB"):
        return "prompt_tuning_init must be RANDOM or SAMPLE_VOCAB"
    if name == "r" and not _is_count(value, 0):  # which means another setting to some kinds, and is refused by others
        return "r, the rank, must be a whole number of at least 1"
    if any(isinstance(one, float) and not math.isfinite(one) for one in _leaves(value)):
        return f"{name} must be a finite number"
    return None


def _is_count(value: Any, least: int = 1) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def _leaves(value: Any) -> Iterator[Any]:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else None
    if inner is None:
        yield value
    else:
        for one in inner:
            yield from _leaves(one)


Slot = AdapterSettings | SlotSettings


def adapter_slots(adapter: AdapterSettings | None) -> dict[str, Slot]:
    """The slots of a study that names none: its `adapter`, or none where every weight is tuned."""
    return {} if adapter is None else {DEFAULT: adapter}


def slot_title(name: str) -> str:
    """What messages call a slot: after the setting of the study file that it comes from."""
    return "adapter" if name == DEFAULT else f"slot {name}"


def chunks_read(slot: Slot) -> Chunks | None:
    """The chunks in which a slot reads long cases, if it is a head; None where it reads them as they are."""
    return chunks_of(slot.settings) if isinstance(slot, SlotSettings) and slot.type == HEAD else None


def reads_snippets(slot: Slot) -> bool:
    """Whether a slot is a head that reads a case in snippets."""
    return isinstance(slot, SlotSettings) and slot.type == HEAD and slot.settings.get("pool") in SNIPPET_POOLS


def pieces_read(slot: Slot) -> Callable[[list[int]], list[list[int]]] | None:
    """What parts the token ids of a case into the pieces that a slot reads, if it is a head; None where it reads them
    as they are.
    """
    if reads_snippets(slot):
        return snippets_of
    return None if (chunks := chunks_read(slot)) is None else chunks.of


def in_front(slot: Slot) -> bool:
    """Whether its vectors stand in front of the tokens, outside the model's layers."""
    return slot.type in _PROMPTS


def stack_problem(slots: Mapping[str, Slot]) -> str | None:
    """Why these slots cannot be active together; None where they can."""
    adapters = {name: slot for name, slot in slots.items() if slot.type != HEAD}
    types = sorted({slot.type for slot in adapters.values()})
    if len(types) > 1:
        return f"slots of different types cannot be active together: {', '.join(types)}"
    if len(adapters) > 1 and any(map(in_front, adapters.values())):
        return f"only one slot of type {types[0]} can be active at a time"
    return None


def slot_weights(model: nn.Module, name: str) -> dict[str, nn.Parameter]:
    """The weights of one slot by their names in the model; `backbone`: those of no slot."""
    whole = dict(model.named_parameters())
    if name == BACKBONE:
        slotted = {id(weight) for other in _names(model) for weight in _weights(model, other)}
        return {path: weight for path, weight in whole.items() if id(weight) not in slotted}
    own = {id(weight) for weight in _weights(model, name)}
    return {path: weight for path, weight in whole.items() if id(weight) in own}


def use(model: nn.Module, active: Collection[str], train: Collection[str] = ()) -> dict[str, int]:
    """Make the slots of `active` take part in every forward pass and those of `train` among them learn: the one door.

    Returns how many numbers learn, by slot. Slots are active in the order of their names, so that sums are taken in one
    order in training and in answering. Raises RuntimeError unless afterwards the active set is as asked in every layer
    and exactly the weights of `train` learn.
    """
    if strange := sorted({*active, *train} - {*_names(model), BACKBONE}):
        raise RuntimeError(f"the policy has no slot {', '.join(strange)}")
    if idle := sorted({*train} - {*active, BACKBONE}):
        raise RuntimeError(f"{', '.join(idle)} would learn without being active")
    adapters = sorted({*active} & {*_adapters(model)})
    if isinstance(model, PeftModel):
        _activate(model, adapters)
    model.requires_grad_(False)
    learning = {name: slot_weights(model, name) for name in train}
    for weights in learning.values():
        for weight in weights.values():
            weight.requires_grad_(True)
    _check(model, adapters, learning)
    return {name: sum(weight.numel() for weight in weights.values()) for name, weights in learning.items()}


def _activate(model: Any, adapters: list[str]) -> None:
    prompts = model.peft_config[adapters[0]].is_prompt_learning if adapters else not _layers(model)
    if prompts:
        if not adapters:
            raise RuntimeError("a policy with soft tokens cannot do without them")
        model.set_adapter(adapters[0])  # PEFT's own, which takes one name
        return
    if not adapters:
        model.base_model.disable_adapter_layers()
        return
    model.base_model.enable_adapter_layers()
    model.base_model.set_adapter(adapters)  # before any requires_grad, which it sets as it likes
    model.active_adapter = adapters[0]


def _check(model: nn.Module, adapters: list[str], learning: Mapping[str, Mapping[str, Tensor]]) -> None:
    for path, layer in _layers(model):
        found: list[str] = [] if layer.disable_adapters else list(layer.active_adapters)
        if found != adapters or layer.merged:
            raise RuntimeError(f"{path} has {found or 'no slot'} active and not {adapters or 'none'}")
    if empty := [name for name, weights in learning.items() if not weights]:
        raise RuntimeError(f"{', '.join(empty)} would learn and has no weights")
    wanted = {path for weights in learning.values() for path in weights}
    learns = {path for path, weight in model.named_parameters() if weight.requires_grad}
    if learns != wanted:
        raise RuntimeError(f"{len(learns ^ wanted)} weights learn and should not, or the other way round")


def _names(model: nn.Module) -> list[str]:
    return [*_adapters(model), *heads_of(model)]


def _adapters(model: nn.Module) -> list[str]:
    return list(model.peft_config) if isinstance(model, PeftModel) else []


def _layers(model: nn.Module) -> list[tuple[str, BaseTunerLayer]]:
    return [(path, module) for path, module in model.named_modules() if isinstance(module, BaseTunerLayer)]


def _weights(model: Any, name: str) -> Iterable[nn.Parameter]:
    """A head's, soft tokens', or what the layers hold under the slot's name."""
    if name in heads_of(model):
        yield from heads_of(model)[name].parameters()
    if name in getattr(model, "prompt_encoder", {}):
        yield from model.prompt_encoder[name].parameters()
    for _, layer in _layers(model):
        for kind in layer.adapter_layer_names:
            group: Any = getattr(layer, kind)
            if name in group:
                held = group[name]
                yield from [held] if isinstance(held, nn.Parameter) else held.parameters()
