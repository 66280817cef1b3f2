"""What is tuned: finding and safely loading a model, its tokenizer and chat template, adapters."""

from preceptor.models import _bits  # noqa: F401 - before peft, see there
from preceptor.models._blueprint import blueprint, find_blueprint, keep_layers, layer_period, layers_of, random_model
from preceptor.models._chat_template import encode_answer, measured_template, stop_tokens
from preceptor.models._embedded import EMBEDDED, EMBEDDED_TITLE, fetch_embedded
from preceptor.models._policy import (
    Policy,
    compute_device,
    load_policy,
    new_policy,
    readable_adapter,
    save_policy,
    saved_slots,
    slot_folders,
    start_policy,
)
from preceptor.models._sixteen_bits import rounded_product, slow_16_bits
from preceptor.models._slots import (
    BACKBONE,
    DEFAULT,
    HEAD,
    AdapterSettings,
    Slot,
    SlotSettings,
    heads_of,
    in_front,
    slot_weights,
    soft_tokens,
    stack_problem,
    use,
)
from preceptor.models._source import KnownModel, ModelSource, context_length, find_model, fingerprint, list_models, writes
from preceptor.models._tokens import Encoded, encode, load_tokenizer

__all__ = [
    "BACKBONE",
    "DEFAULT",
    "EMBEDDED",
    "EMBEDDED_TITLE",
    "HEAD",
    "AdapterSettings",
    "Encoded",
    "KnownModel",
    "ModelSource",
    "Policy",
    "Slot",
    "SlotSettings",
    "blueprint",
    "compute_device",
    "context_length",
    "encode",
    "encode_answer",
    "fetch_embedded",
    "find_blueprint",
    "find_model",
    "fingerprint",
    "heads_of",
    "in_front",
    "keep_layers",
    "layer_period",
    "layers_of",
    "list_models",
    "load_policy",
    "load_tokenizer",
    "measured_template",
    "new_policy",
    "random_model",
    "readable_adapter",
    "rounded_product",
    "save_policy",
    "saved_slots",
    "slot_folders",
    "slot_weights",
    "slow_16_bits",
    "soft_tokens",
    "stack_problem",
    "start_policy",
    "stop_tokens",
    "use",
    "writes",
]
