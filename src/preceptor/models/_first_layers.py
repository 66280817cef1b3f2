"""The first layers of a model, as its configuration counts them, in place of all."""

from typing import Any

from torch import nn

_PER_LAYER = ("layer_types", "mlp_layer_types", "no_rope_layers", "sliding_window_pattern_list")
"""Settings of a configuration with one entry a layer."""
_LAST_NORM = "final_norm"
"""ModernBERT's, of the encoders the only one that norms what its last layer gives."""


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
