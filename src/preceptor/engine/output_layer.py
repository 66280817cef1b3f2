"""The product with the vocabulary, which decides, is float32 in every number format of the rest of the model.

In bfloat16 logits of 32 to 64 lie on a grid of 0.25 nat: different answers get the same probability, and the same
answer gets another one in a tree of another size.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import Function
from torch.distributed.tensor import DTensor

from preceptor.models import rounded_product

_VOCABULARY_CHUNK = 8192
"""Rows of the output layer's weight that are converted at a time, where no converted copy of all of them is held."""


@contextmanager
def float32_head(model: nn.Module) -> Iterator[None]:
    """Within the block the output layer gives float32 logits, to our code and to the model's own.

    On a CPU one float32 copy of a frozen output layer is held meanwhile; blocks may be nested, and the inner ones then
    cost nothing. An output layer that is not linear stays as it is.
    """
    head: Any = output_layer(model)
    if not isinstance(head, nn.Linear) or head.weight.dtype == torch.float32 or _replaced(head) is not None:
        yield
        return
    before = vars(head).get("forward")
    vars(head)["forward"] = _Float32Forward(head)
    try:
        yield
    finally:
        del vars(head)["forward"]
        if before is not None:
            vars(head)["forward"] = before


def output_layer(model: nn.Module) -> Any:
    """The layer that multiplies with the vocabulary, under peft's wrapping."""
    causal: Any = model
    if hasattr(causal, "peft_config"):
        causal = causal.get_base_model()
    head = causal.get_output_embeddings()
    return head.get_base_layer() if hasattr(head, "get_base_layer") else head


def float32_linear(hidden: Tensor, head: nn.Linear) -> Tensor:
    """Logits [..., vocab_size] float32 of hidden states [..., hidden_size] in the model's format."""
    if head.weight.dtype == torch.float32:
        return nn.functional.linear(hidden, head.weight, head.bias)
    step: Any = _Float32Linear
    logits: Tensor = step.apply(hidden.flatten(0, -2), head.weight, head.bias, float32_copy(head))
    return logits.view(*hidden.shape[:-1], -1)


def float32_copy(head: nn.Linear) -> Tensor | None:
    """The float32 weight that is held for `head`, itself where it is float32; None where none is held."""
    if head.weight.dtype == torch.float32:
        return head.weight
    replaced = _replaced(head)
    return None if replaced is None else replaced.copy


def product(hidden: Tensor, weight: Tensor, copy: Tensor | None) -> Tensor:
    """[R, vocab_size] float32: hidden [R, hidden_size] times the transposed weight [vocab_size, hidden_size].

    copy: the weight in float32, if it is held. Operands of 16 bits are exact in float32, so all three ways add up the
    same products and differ in the order of their sums only.
    """
    if copy is not None:
        return hidden.float() @ copy.T
    if weight.is_cuda and torch.version.hip is None:
        return torch.mm(hidden, weight.T, out_dtype=torch.float32)
    return torch.cat([hidden.float() @ part.float().T for part in weight.split(_VOCABULARY_CHUNK)], dim=1)


def slope(gradient: Tensor, weight: Tensor, copy: Tensor | None) -> Tensor:
    """Gradient of `hidden` [R, hidden_size], in the weight's format, from the logits' [R, vocab_size] float32."""
    if copy is not None:
        return (gradient @ copy).to(weight.dtype)
    return rounded_product(gradient.to(weight.dtype), weight)


class _Float32Forward:
    """In place of the output layer's forward."""

    def __init__(self, head: nn.Linear) -> None:
        self._head = head
        weight = head.weight
        held = weight.device.type == "cpu" and not weight.requires_grad and not isinstance(weight, DTensor)
        self.copy = weight.float() if held else None

    def __call__(self, hidden: Tensor) -> Tensor:
        return float32_linear(hidden, self._head)


class _Float32Linear(Function):
    """y = x W^T + bias in float32, for x [R, hidden_size] and W [vocab_size, hidden_size] of 16 bits."""

    @staticmethod
    def forward(ctx: Any, hidden: Tensor, weight: Tensor, bias: Tensor | None, copy: Tensor | None) -> Tensor:
        ctx.save_for_backward(hidden, weight, bias, copy)
        logits = product(hidden, weight, copy)
        return logits if bias is None else logits.add_(bias)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (gradient,) = gradients
        hidden, weight, bias, copy = ctx.saved_tensors
        to_hidden = slope(gradient, weight, copy) if ctx.needs_input_grad[0] else None
        to_weight = (gradient.T @ hidden.float()).to(weight.dtype) if ctx.needs_input_grad[1] else None
        to_bias = gradient.sum(0).to(bias.dtype) if ctx.needs_input_grad[2] else None
        return to_hidden, to_weight, to_bias, None


def _replaced(head: nn.Module) -> _Float32Forward | None:
    forward = vars(head).get("forward")
    return forward if isinstance(forward, _Float32Forward) else None
