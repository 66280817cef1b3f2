"""The first layers of a model, as its configuration counts them, in place of all."""

from typing import Any

from torch import nn

from preceptor.models._json import read_json
from preceptor.models._source import ModelSource

_PER_LAYER = ("layer_types", "mlp_layer_types", "no_rope_layers", "sliding_window_pattern_list")
"""Settings of a configuration with one entry a layer."""
_NORMING, _LAST_NORM = "modernbert", "final_norm"
"""The `model_type` of the only encoder that norms what its last layer gives, and by what."""


def keep_layers(config: Any, layers: int) -> None:
    """Truncate a model's configuration to its first `layers` layers, in place."""
    text = config.get_text_config()
    text.num_hidden_layers = layers
    for name in _PER_LAYER:
        if kinds := getattr(text, name, None):
            setattr(text, name, kinds[:layers])


def without_last_norm(model: Any) -> None:
    """Take off the norm behind an encoder's last layer: it was learnt for the states of that one alone."""
    if hasattr(model, _LAST_NORM):
        setattr(model, _LAST_NORM, nn.Identity())


def class_norms(source: ModelSource) -> bool:
    """Whether a class of transformers that loads these first layers puts a norm behind them that they are without."""
    return source.layers is not None and read_json(source.location / "config.json").get("model_type") == _NORMING
