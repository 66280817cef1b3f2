"""How much memory a stage takes on a device: bytes are counted, nothing is loaded."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch
from torch import nn

from preceptor.engine import Operations, TreeBytes, Workload, head_bytes, tree_bytes, whole_logits_bytes
from preceptor.models import AdapterSettings, ModelSource, blueprint, layers_of

_NF4 = 0.5 + 1 / 64 + 4 / (64 * 256)
"""Bytes a number of 4 bits: its half byte, a scale of 8 bits for 64 of them, one of 32 bits for 256 scales."""
_MOMENTS = 2 * 4.0
"""Bytes of AdamW's state for a number that learns: two averages in 32 bits."""


@dataclass(frozen=True, slots=True)
class ModelBytes:
    """What a model takes: operations, and bytes.

    weights: all of them, the adapter too. learning: gradients of those that learn. states: the optimizer's. layer:
    weights of the largest layer. outside: of what stands outside the layers. embedding: what embeddings that learn take
    when a backward ends. unpacked: the largest 4-bit matrix, when it is computed with. layers: how many. width: of all
    heads together. spread: how many heads share a key. loose: what is made in passing holds so many times its bytes.
    """

    operations: Operations
    weights: float
    learning: float
    states: float
    layer: float
    outside: float
    embedding: float
    unpacked: float
    layers: int
    width: int
    spread: int
    loose: float
    tree: TreeBytes
    head: Callable[[int], tuple[float, float]]
    whole_logits: Callable[[int], float]


@lru_cache(maxsize=8)
def model_bytes(
    source: ModelSource, adapter: AdapterSettings | None, dtype: torch.dtype, loose: float = 1.0
) -> ModelBytes:
    """Count a model, which is made of its configuration alone."""
    layers, period = layers_of(source)
    model: Any = blueprint(source, adapter, dtype)
    weights = _weights(model, packed=source.load_in_4bit)
    one, two = (
        _weights(blueprint(source, adapter, dtype, n), packed=source.load_in_4bit) for n in (period, 2 * period)
    )
    learning = sum(w.nbytes for w in model.parameters() if w.requires_grad)
    embedding = model.get_input_embeddings().weight
    config = model.config.get_text_config()
    heads = getattr(config, "num_attention_heads", 1)
    return ModelBytes(
        Operations.of(model),
        weights,
        learning,
        _MOMENTS * sum(w.numel() for w in model.parameters() if w.requires_grad),
        (two - one) / period,
        2 * one - two,
        2.0 * embedding.nbytes if embedding.requires_grad else 0.0,
        max(w.nbytes for w in model.parameters()) if source.load_in_4bit else 0.0,
        layers,
        heads * (getattr(config, "head_dim", None) or config.hidden_size // heads),
        heads // (getattr(config, "num_key_value_heads", None) or heads),
        loose,
        tree_bytes(lambda count: blueprint(source, adapter, dtype, count), layers, period),
        lambda rows: head_bytes(model, rows),
        lambda rows: whole_logits_bytes(model, rows),
    )


def training_peak(model: ModelBytes, work: Workload, processes: int, *, shares: bool) -> float:
    """The most that a training stage holds on one of its devices, beside what the process takes itself."""
    kept, passing = _head(model, work.train.largest_rows, shares=shares)
    tokens = work.train.largest
    tree = model.loose * (kept + model.unpacked + max(model.tree.peak(tokens), model.tree.held(tokens) + passing))
    gradients = model.learning / processes
    # With several trees a step, gradients are there while the next tree is computed. Those of embeddings come last.
    computing = max(tree + (gradients if work.together > 1 else 0.0), gradients + model.embedding)
    held = (model.weights + model.states) / processes + computing
    if processes == 1:
        return max(held, model.weights + _forward(model, work, shares=shares))
    # Weights outside the layers are gathered throughout; a layer is, and the next one while it is computed.
    gathered = model.outside + 2 * model.layer
    return max(held + gathered, model.weights)  # each process begins with the whole model


def answering_peak(model: ModelBytes, work: Workload, *, shares: bool) -> float:
    """The most that scoring or writing holds: on one device, with the whole model."""
    cache = model.tree.kept(work.writing.cells)
    read = model.tree.reading(work.read.largest)
    into_cache = model.tree.kept(work.read.largest) + cache
    # A layer's keys and values are written out once for every head, while it attends.
    writing = cache * (1 + model.spread / model.layers)
    return model.weights + max(_forward(model, work, shares=shares), model.loose * max(read, into_cache, writing))


def _forward(model: ModelBytes, work: Workload, *, shares: bool) -> float:
    """Trees without gradients."""
    tokens = work.forward.largest
    kept, passing = _head(model, work.forward.largest_rows, shares=shares)
    return model.loose * (model.unpacked + max(model.tree.forward(tokens), kept + passing))


def _head(model: ModelBytes, rows: int, *, shares: bool) -> tuple[float, float]:
    return model.head(rows) if shares else (0.0, model.whole_logits(rows))


def _weights(model: nn.Module, *, packed: bool) -> float:
    """Bytes of all weights; `packed`: linear layers but the output layer hold four bits a number."""
    total = float(sum(weight.nbytes for weight in model.parameters()))
    if not packed:
        return total
    base = [m for name, m in model.named_modules() if name.endswith("base_layer") and isinstance(m, nn.Linear)]
    return total - sum(m.weight.nbytes - _NF4 * m.weight.numel() for m in base)
