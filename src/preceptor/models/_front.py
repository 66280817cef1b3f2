"""What stands in front of every sequence of a model: how many vectors of its active slot, and as many elsewhere."""

import warnings
from copy import deepcopy
from typing import Any

from peft import PeftModel, PeftType, get_peft_model
from torch import nn

_SOFT = (PeftType.PROMPT_TUNING, PeftType.P_TUNING)
"""Kinds whose vectors have hidden states of their own; a prefix adds keys and values only."""


def soft_tokens(model: nn.Module) -> int:
    """How many vectors the active slot puts in front of a sequence's embeddings, and so of its hidden states."""
    return soft_tokens_of(model.active_peft_config) if isinstance(model, PeftModel) else 0


def soft_tokens_of(slot: Any) -> int:
    """The same of a slot's PEFT configuration."""
    return int(slot.num_virtual_tokens) if slot.peft_type in _SOFT else 0


def prefix_tokens(model: nn.Module) -> int:
    """How many keys and values the active slot gives every layer in front of a sequence's own."""
    config = model.active_peft_config if isinstance(model, PeftModel) else None
    return int(config.num_virtual_tokens) if config is not None and config.peft_type == PeftType.PREFIX_TUNING else 0


def with_same_front(model: Any, other: nn.Module) -> Any:
    """A model without slots behind as many new vectors, of the same kind, as stand in front of `other`, if any do."""
    if not (soft_tokens(other) or prefix_tokens(other)):
        return model
    slot: Any = deepcopy(other.active_peft_config)
    slot.token_dim = slot.num_attention_heads = slot.num_layers = slot.num_transformer_submodules = None
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="`is_gradient_checkpointing` is deprecated", category=FutureWarning)
        return get_peft_model(model, slot)
