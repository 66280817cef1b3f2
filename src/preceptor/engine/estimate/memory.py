"""How much memory a model needs for a piece of work: its bytes are counted, and no number of it is loaded."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.autograd.graph import saved_tensors_hooks

from preceptor.engine.estimate.work import Unit
from preceptor.engine.tree.attention import TreeAttention
from preceptor.engine.tree.layout import layout
from preceptor.engine.tree.logprobs import hidden_states
from preceptor.models import AdapterSettings, ModelSource, blueprint, layers_of

_NF4 = 0.5 + 1 / 64 + 4 / (64 * 256)
"""Bytes a number of 4 bits: its half byte, a scale of 8 bits for 64 of them, one of 32 bits for 256 scales."""
_SIZES = (128, 512)
_ROWS = 128
"""Hidden states that meet the vocabulary at a time (see `engine/tree/head.py`)."""


@dataclass(frozen=True, slots=True)
class ModelBytes:
    """Bytes of a model that `adapter` (or all of it) learns in.

    weights: all of them. learning: their gradients. states: AdamW's averages. outside: weights that are not in layers.
    saved: what a tree leaves for its backward, a token and a token squared (dense masks). cached: keys and values of a
    token. spread: how many heads share a key. row: logits and the like of a hidden state that meets the vocabulary.
    head: what the output layer takes beside its weights.
    """

    layers: int
    weights: float
    learning: float
    states: float
    outside: float
    saved: tuple[float, float]
    cached: float
    spread: int
    row: float
    head: float

    def peak(self, unit: Unit, processes: int = 1, loose: float = 1.0) -> float:
        """The most that one device holds for a piece of work; `processes` share the weights while they train.

        loose: how many times its bytes what is made in passing takes.
        """
        tree = self.saved[0] * unit.held + self.saved[1] * unit.held**2
        vocabulary = self.row * min(unit.rows, _ROWS)
        match unit.kind:
            case "train":
                held = (
                    (self.weights + self.states + self.learning) / processes + self.head + loose * (tree + vocabulary)
                )
                if processes == 1:
                    return held
                # What stands outside the layers stays gathered; a layer is, and the next one while it is computed.
                gathered = self.outside + 2 * (self.weights - self.outside) / self.layers
                return max(held + gathered, self.weights)  # each process begins with the whole model
            case "score":
                return self.weights + self.head + loose * (2 * tree / self.layers + vocabulary)
            case "read":
                return self.weights + loose * (2 * tree / self.layers + self.cached * unit.held)
            case "write":  # a layer's keys and values are written out once for every head, while it attends
                return self.weights + loose * self.cached * unit.held * (1 + self.spread / self.layers)
            case _:
                return self.weights


@lru_cache(maxsize=8)
def model_bytes(source: ModelSource, adapter: AdapterSettings | None, dtype: torch.dtype) -> ModelBytes:
    """Count a model, which is made of its configuration alone."""
    model: Any = blueprint(source, adapter, dtype)
    learning = [weight for weight in model.parameters() if weight.requires_grad]
    weights = float(sum(weight.nbytes for weight in model.parameters()))
    if source.load_in_4bit:  # linear layers but the output layer
        base = [m for name, m in model.named_modules() if name.endswith("base_layer") and isinstance(m, nn.Linear)]
        weights -= sum(m.weight.nbytes - _NF4 * m.weight.numel() for m in base)
    head = model.get_output_embeddings().weight
    outside = {id(one): one.nbytes for one in (model.get_input_embeddings().weight, head)}
    config = model.config.get_text_config()
    heads = getattr(config, "num_attention_heads", 1)
    # Logits, log-probabilities and their slopes in 32 bits. A frozen head of 16 bits is held in 32 bits too.
    row = 4.0 * head.shape[0] * (4 if head.requires_grad else 3)
    beside = 2.0 * head.nbytes if head.requires_grad else 4.0 * head.numel() * (head.element_size() < 4)
    layers, period = layers_of(source)
    one, two = (_tree_bytes(blueprint(source, adapter, dtype, count)) for count in (period, 2 * period))
    a, b, cached = (x + (layers / period - 1) * (y - x) for x, y in zip(one, two, strict=True))
    squared = (b / _SIZES[1] - a / _SIZES[0]) / (_SIZES[1] - _SIZES[0])
    return ModelBytes(
        layers,
        weights,
        sum(weight.nbytes for weight in learning),
        2 * 4.0 * sum(weight.numel() for weight in learning),
        sum(outside.values()),
        (a / _SIZES[0] - squared * _SIZES[0], squared),
        cached,
        heads // (getattr(config, "num_key_value_heads", None) or heads),
        row,
        beside,
    )


def _tree_bytes(model: nn.Module) -> list[float]:
    """What a chain of each of `_SIZES` leaves for its backward, and keys and values of a token.

    The engine's own code runs forward on tensors that know their size and hold no numbers, the model's too from now on.
    """
    counted = []
    with FakeTensorMode(allow_non_fake_inputs=True):
        model.to_empty(device="cpu")
        own = {weight.untyped_storage()._cdata for weight in (*model.parameters(), *model.buffers())}
        for tokens in _SIZES:
            saved: dict[int, int] = {}

            def note(tensor: Tensor, saved: dict[int, int] = saved) -> Tensor:
                storage = tensor.untyped_storage()
                saved[storage._cdata] = storage.nbytes()
                return tensor

            attention = TreeAttention(layout([[0] * tokens]), torch.device("cpu"), keep=True)
            with saved_tensors_hooks(note, lambda tensor: tensor):
                hidden = hidden_states(model, attention)
            counted.append(float(sum(size for key, size in saved.items() if key not in own)))
            del hidden  # until here it holds what is saved
    return [*counted, sum(one.nbytes for pair in attention.kept for one in pair) / tokens]
