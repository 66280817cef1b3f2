"""How much memory a tree takes in a model: counted while the engine's own code runs on tensors that hold no numbers."""

import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from preceptor.engine.tree.attention import TreeAttention
from preceptor.engine.tree.head import _ROWS
from preceptor.engine.tree.layout import layout
from preceptor.engine.tree.logprobs import causal_and_head, hidden_states

_TOKENS = (128, 256, 512)
"""A tree's bytes are a parabola in its tokens (masks grow with their square), which three sizes give exactly."""


@dataclass(frozen=True, slots=True)
class TreeBytes:
    """Bytes that a tree of so many tokens takes in the model's body, beside weights and gradients that are there.

    Each is a parabola in the tokens. held: after the forward, for the backward. peak: the most during both.
    forward: the most without gradients. reading: the same where every layer's keys and values are kept. kept: they.
    """

    held: "Parabola"
    peak: "Parabola"
    forward: "Parabola"
    reading: "Parabola"
    kept: "Parabola"


Parabola = Callable[[float], float]


def tree_bytes(model_of: Callable[[int], nn.Module], layers: int, period: int) -> TreeBytes:
    """Count a model's bytes. Layers that are alike take alike: two short models tell what one more layer takes.

    The first layer differs, because nothing before it is freed. model_of: makes the model of so many layers
    on the device `meta`. period: after how many layers their kinds repeat.
    """
    short, longer = min(2 * period, layers), min(3 * period, layers)
    counted = [_parabolas(model_of(count)) for count in dict.fromkeys((short, longer))]
    if len(counted) == 1:
        return TreeBytes(*(np.poly1d(one) for one in counted[0]))
    first, second = counted
    more = (layers - short) / (longer - short)
    return TreeBytes(*(np.poly1d(a + more * (b - a)) for a, b in zip(first, second, strict=True)))


def head_bytes(model: nn.Module, rows: int) -> tuple[float, float]:
    """What the vocabulary adds: bytes until the backward, and bytes in passing. `rows` hidden states meet it."""
    _, head = causal_and_head(model)
    vocab_size, hidden_size = head.weight.shape
    itemsize = head.weight.element_size()
    part = min(rows, _ROWS) * vocab_size * 4.0
    copy = 4.0 * head.weight.numel() if itemsize < 4 and not head.weight.requires_grad else 0.0  # see `float32_head`
    if not head.weight.requires_grad:  # logits, their exponentials and the logarithm's own copy
        return 2.0 * rows * hidden_size * itemsize, 3 * part + copy
    # Logits, log-probabilities and the slopes of both; the head's gradient, of one part and of all before it.
    return 1.0 * rows * hidden_size * itemsize, 4 * part + 2.0 * head.weight.nbytes


def whole_logits_bytes(model: nn.Module, rows: int) -> float:
    """The same in passing where the model's own code computes every row's logits: they, in 32 bits, and log-softmax."""
    _, head = causal_and_head(model)
    return rows * head.weight.shape[0] * (head.weight.element_size() + 12.0)


def _parabolas(model: nn.Module) -> list[np.ndarray]:
    """Coefficients of each part of `TreeBytes`, in its order."""
    with FakeTensorMode() as mode:
        _put_fake(model)
        causal, _ = causal_and_head(model)
        causal.get_input_embeddings().requires_grad_(False)  # theirs is one gradient, whatever the tree: see `Memory`
        for weight in model.parameters():
            weight.grad = torch.empty_like(weight) if weight.requires_grad else None
        counts = [_count(model, tokens) for tokens in _TOKENS]
        del mode
    return [np.polyfit(_TOKENS, values, 2) for values in zip(*counts, strict=True)]


def _count(model: nn.Module, tokens: int) -> list[float]:
    """Each part of `TreeBytes` for a chain of `tokens`."""
    with _counting(model) as live:
        hidden = hidden_states(model, _chain(tokens))
        held = live.now
        hidden.sum().backward()
        del hidden
        peak = live.peak
    with torch.no_grad(), _counting(model) as live:
        hidden_states(model, _chain(tokens))
        forward = live.peak
    with torch.no_grad(), _counting(model) as live:
        attention = _chain(tokens, keep=True)
        hidden_states(model, attention)
        kept = sum(one.untyped_storage().nbytes() for pair in attention.kept for one in pair)
        reading = live.peak
    return [float(value) for value in (held, peak, forward, reading, kept)]


def _chain(tokens: int, *, keep: bool = False) -> TreeAttention:
    return TreeAttention(layout([[0] * tokens]), torch.device("cpu"), keep=keep)


class _Live(TorchDispatchMode):
    """Bytes of all tensors that were made in the block and are still there; those in `known` do not count."""

    def __init__(self, known: set[int]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.now = self.peak = 0
        self._known = known

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        for one in tree_leaves(out):
            if isinstance(one, Tensor):
                self._add(one.untyped_storage())
        return out

    def _add(self, storage: torch.UntypedStorage) -> None:
        key = storage._cdata
        if key not in self._known:
            self._known.add(key)
            self.now += storage.nbytes()
            self.peak = max(self.peak, self.now)
            weakref.finalize(storage, self._drop, key, storage.nbytes())

    def _drop(self, key: int, size: int) -> None:
        self._known.discard(key)
        self.now -= size


@contextmanager
def _counting(model: nn.Module) -> Iterator[_Live]:
    """Count what is made in the block, beside the model's weights, its buffers and the gradients it has."""
    there = [*model.parameters(), *model.buffers()]
    there += [weight.grad for weight in model.parameters() if weight.grad is not None]
    with _Live({one.untyped_storage()._cdata for one in there}) as live:
        yield live


def _put_fake(model: nn.Module) -> None:
    """Put tensors without numbers, which say they are on the CPU, in the place of those of the device `meta`."""
    made: dict[int, Any] = {}
    for module in model.modules():
        for store in (module._parameters, module._buffers):
            for name, old in store.items():
                if old is None:
                    continue
                if id(old) not in made:
                    new = torch.empty(old.shape, dtype=old.dtype)
                    is_weight = isinstance(old, nn.Parameter)
                    made[id(old)] = nn.Parameter(new, requires_grad=old.requires_grad) if is_weight else new
                store[name] = made[id(old)]
