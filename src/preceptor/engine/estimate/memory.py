"""How much memory a model needs for a piece of work: its bytes are counted, and no number of it is loaded."""

import weakref
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from preceptor.engine.estimate.work import Unit
from preceptor.engine.output_layer import output_layer
from preceptor.engine.tree.attention import TreeAttention
from preceptor.engine.tree.logprobs import hidden_states
from preceptor.engine.tree.states import is_encoder
from preceptor.engine.tree.vectors import layout_for
from preceptor.models import ModelSource, Slot, blueprint, heads_of, layers_of, positions

_NF4 = 0.5 + 1 / 64 + 4 / (64 * 256)
"""Bytes a number of 4 bits: its half byte, a scale of 8 bits for 64 of them, one of 32 bits for 256 scales."""
_ROWS = 128
"""Hidden states that meet the vocabulary at a time (see `engine/tree/head.py`)."""


@dataclass(frozen=True, slots=True)
class ModelBytes:
    """Bytes of a model.

    model: on the device `meta`. weights: all of them. learning: what learns, with gradients and AdamW's averages.
    outside: weights outside the layers. head: the copy in 32 bits of a frozen output layer of 16 bits. row: what a
    hidden state that meets the vocabulary takes in passing. saved: what a token leaves for the backward. backward,
    forward: what it takes in passing in a layer's backward, and in a forward without gradients. cached: its keys and
    values.
    """

    model: nn.Module
    layers: int
    weights: float
    learning: float
    outside: float
    head: float
    row: float
    saved: float
    backward: float
    forward: float
    cached: float

    def peak(self, unit: Unit, processes: int = 1, loose: float = 1.0) -> float:
        """The most that one device holds for a piece of work; `processes` train together, each with its share.

        loose: how many times its bytes what is made in passing holds.
        """
        vocabulary = self.row * min(unit.rows, _ROWS)
        if unit.kind == "train":
            tree = self.saved * unit.held + max(self.backward * unit.held, vocabulary)
            held = (self.weights + self.learning) / processes + self.head + loose * tree
            if processes == 1:
                return held
            # What stands outside the layers stays gathered; a layer is, and the next one while it is computed.
            gathered = self.outside + 2 * (self.weights - self.outside) / self.layers
            return max(held + gathered, self.weights)  # each process begins with the whole model
        kept = self.cached * unit.held if unit.kind in ("read", "write") else 0.0
        passing = vocabulary if unit.kind == "write" else max(self.forward * unit.held, vocabulary)
        return self.weights + self.head + loose * (kept + passing)


Slots = tuple[tuple[str, Slot], ...]
"""Slots by name."""


@lru_cache(maxsize=32)
def model_bytes(source: ModelSource, slots: Slots, dtype: torch.dtype, tokens: int) -> ModelBytes:
    """Count a model with these slots, which is made of its configuration alone, on trees of about so many tokens."""
    model: Any = blueprint(source, dict(slots), dtype)
    weights = float(sum(weight.nbytes for weight in (*model.parameters(), *model.buffers())))
    if source.load_in_4bit:  # linear layers but the output layer
        base = [m for name, m in model.named_modules() if name.endswith("base_layer") and isinstance(m, nn.Linear)]
        weights -= sum(m.weight.nbytes - _NF4 * m.weight.numel() for m in base)
    output = output_layer(model)
    head = torch.empty(0) if output is None else output.weight  # an encoder has none
    outside = {id(one): one.nbytes for one in (model.get_input_embeddings().weight, head)}
    layers, period = layers_of(source)
    one, two = (_tree_bytes(blueprint(source, dict(slots), dtype, count), tokens) for count in (period, 2 * period))
    saved, cached = (a + (layers / period - 1) * (b - a) for a, b in zip(one[:2], two[:2], strict=True))
    return ModelBytes(
        model,
        layers,
        weights,
        sum(weight.nbytes + 2 * 4.0 * weight.numel() for weight in model.parameters() if weight.requires_grad),
        sum(outside.values()),
        4.0 * head.numel() if head.element_size() < 4 and not head.requires_grad else 0.0,
        4.0 * len(head) * (4 if head.requires_grad else 3),  # logits, log-probabilities, their slopes
        saved,
        two[2],
        two[3],
        cached,
    )


def _tree_bytes(model: nn.Module, tokens: int) -> tuple[float, ...]:
    """What each of a chain's `tokens` takes, as `saved`, `cached`, `backward` and `forward` of `ModelBytes`, with its
    part of the vectors in front; of an encoder, each of a batch of sequences as long as it takes, or as its head's
    chunks are.

    The engine's own code runs on tensors that know their size and hold no numbers, the model's too from now on.
    """
    count = 1
    if encoder := is_encoder(model):
        in_front = getattr(getattr(model, "active_peft_config", None), "num_virtual_tokens", 0)
        chunks = [head.chunks.length for head in heads_of(model).values() if head.chunks]
        longest = min([max(1, (positions(model.config) or tokens) - in_front), *chunks])
        count = max(1, tokens // longest)
        tokens = count * min(tokens, longest)
    chain, cpu = layout_for(model, [[0] * (tokens // count)]), torch.device("cpu")

    def run(attention: TreeAttention) -> Tensor:
        if not encoder:
            return hidden_states(model, attention)
        hidden: Tensor = model(torch.zeros(count, tokens // count, dtype=torch.long)).last_hidden_state
        return hidden

    with FakeTensorMode(allow_non_fake_inputs=True):
        model.to_empty(device="cpu")
        model.get_input_embeddings().weight.requires_grad_(False)  # type: ignore[operator]
        for weight in model.parameters():  # gradients are counted with what learns
            weight.grad = torch.empty_like(weight) if weight.requires_grad else None
        with Live(model) as training:
            loss = run(TreeAttention(chain, cpu)).sum()
            saved = training.now
            if loss.requires_grad:  # a head that learns alone leaves nothing to go back through
                loss.backward()
        attention = TreeAttention(chain, cpu, keep=True)
        with torch.no_grad(), Live(model) as reading:
            run(attention)
        cached = [sum(one.nbytes for one in pair) for pair in attention.kept]
    # At the peak of the last layer, the others' keys and values are there.
    counted = saved, sum(cached), training.peak - saved, reading.peak - sum(cached[:-1])
    return tuple(one / tokens for one in counted)


class Live(TorchDispatchMode):
    """Bytes of all tensors that were made in the block and are still there, beside a model's own and its gradients."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.now = self.peak = 0
        gradients = (one.grad for one in model.parameters() if one.grad is not None)
        self._known = {one.untyped_storage()._cdata for one in (*model.parameters(), *model.buffers(), *gradients)}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Note what an operation makes."""
        out = func(*args, **(kwargs or {}))
        for one in tree_leaves(out):
            if isinstance(one, Tensor) and one.untyped_storage()._cdata not in self._known:
                storage = one.untyped_storage()
                self._known.add(storage._cdata)
                self.now += storage.nbytes()
                self.peak = max(self.peak, self.now)
                weakref.finalize(storage, self._drop, storage._cdata, storage.nbytes())
        return out

    def _drop(self, key: int, size: int) -> None:
        self._known.discard(key)
        self.now -= size
