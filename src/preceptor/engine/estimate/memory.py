"""How much memory a model needs for a piece of work: its bytes are counted, and no number of it is loaded."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.autograd.graph import saved_tensors_hooks

from preceptor.engine.estimate.work import Unit
from preceptor.engine.output_layer import output_layer
from preceptor.engine.tree.attention import TreeAttention
from preceptor.engine.tree.layout import layout
from preceptor.engine.tree.logprobs import hidden_states
from preceptor.engine.tree.states import is_encoder
from preceptor.models import ModelSource, Slot, blueprint, layers_of

_NF4 = 0.5 + 1 / 64 + 4 / (64 * 256)
"""Bytes a number of 4 bits: its half byte, a scale of 8 bits for 64 of them, one of 32 bits for 256 scales."""
_ROWS = 128
"""Hidden states that meet the vocabulary at a time (see `engine/tree/head.py`)."""


@dataclass(frozen=True, slots=True)
class ModelBytes:
    """Bytes of a model.

    weights: all of them. learning: what learns, with gradients and AdamW's averages. outside: weights outside the
    layers. head: the copy in 32 bits of a frozen output layer of 16 bits. row: what a hidden state that meets the
    vocabulary takes in passing. saved: what a token leaves for the backward. cached: its keys and values.
    """

    layers: int
    weights: float
    learning: float
    outside: float
    head: float
    row: float
    saved: float
    cached: float

    def peak(self, unit: Unit, processes: int = 1, loose: float = 1.0) -> float:
        """The most that one device holds for a piece of work; `processes` train together, each with its share.

        loose: how many times its bytes what is made in passing holds.
        """
        tree, vocabulary = self.saved * unit.held, self.row * min(unit.rows, _ROWS)
        if unit.kind == "train":
            held = (self.weights + self.learning) / processes + self.head + loose * (tree + vocabulary)
            if processes == 1:
                return held
            # What stands outside the layers stays gathered; a layer is, and the next one while it is computed.
            gathered = self.outside + 2 * (self.weights - self.outside) / self.layers
            return max(held + gathered, self.weights)  # each process begins with the whole model
        kept = self.cached * unit.held if unit.kind in ("read", "write") else 0.0
        passing = vocabulary if unit.kind == "write" else tree / self.layers + vocabulary
        return self.weights + self.head + loose * (kept + passing)


Slots = tuple[tuple[str, Slot], ...]
"""Slots by name."""


@lru_cache(maxsize=32)
def model_bytes(source: ModelSource, slots: Slots, dtype: torch.dtype, tokens: int) -> ModelBytes:
    """Count a model with these slots, which is made of its configuration alone, on trees of about so many tokens."""
    model: Any = blueprint(source, dict(slots), dtype)
    weights = float(sum(weight.nbytes for weight in model.parameters()))
    if source.load_in_4bit:  # linear layers but the output layer
        base = [m for name, m in model.named_modules() if name.endswith("base_layer") and isinstance(m, nn.Linear)]
        weights -= sum(m.weight.nbytes - _NF4 * m.weight.numel() for m in base)
    output = output_layer(model)
    head = torch.empty(0) if output is None else output.weight  # an encoder has none
    outside = {id(one): one.nbytes for one in (model.get_input_embeddings().weight, head)}
    layers, period = layers_of(source)
    one, two = (_tree_bytes(blueprint(source, dict(slots), dtype, count), tokens) for count in (period, 2 * period))
    saved, cached = (a + (layers / period - 1) * (b - a) for a, b in zip(one, two, strict=True))
    return ModelBytes(
        layers,
        weights,
        sum(weight.nbytes + 2 * 4.0 * weight.numel() for weight in model.parameters() if weight.requires_grad),
        sum(outside.values()),
        4.0 * head.numel() if head.element_size() < 4 and not head.requires_grad else 0.0,
        4.0 * len(head) * (4 if head.requires_grad else 3),  # logits, log-probabilities, their slopes
        saved,
        cached,
    )


def _tree_bytes(model: nn.Module, tokens: int) -> tuple[float, float]:
    """What each of a chain's `tokens` leaves for the backward, and its keys and values.

    The engine's own code runs forward on tensors that know their size and hold no numbers, the model's too from now on.
    """
    saved: dict[int, int] = {}
    if is_encoder(model):  # which computes sequences one by one, none longer than its positions
        config: Any = model.config
        tokens = min(tokens, config.max_position_embeddings - 2)

    def note(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        saved[storage._cdata] = storage.nbytes()
        return tensor

    with FakeTensorMode(allow_non_fake_inputs=True):
        model.to_empty(device="cpu")
        attention = TreeAttention(layout([[0] * tokens]), torch.device("cpu"), keep=True)
        with saved_tensors_hooks(note, lambda tensor: tensor):
            hidden = model(torch.tensor([[0] * tokens])) if is_encoder(model) else hidden_states(model, attention)
        for weight in (*model.parameters(), *model.buffers()):
            saved.pop(weight.untyped_storage()._cdata, None)
        del hidden  # until here it holds what is saved
    kept = sum(one.nbytes for pair in attention.kept for one in pair)
    return sum(saved.values()) / tokens, kept / tokens
