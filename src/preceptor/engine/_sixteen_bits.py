"""Linear layers of 16 bits on a CPU that has no instructions for their products.

torch then multiplies number by number: a backward step of 800 tokens takes 60 to 120 times as long as in float32. The
same products are taken in float32 instead and rounded once at the end, as such instructions do it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import Function
from torch.distributed.tensor import DTensor


@cache
def slow_16_bits() -> bool:
    """Whether this CPU multiplies bfloat16 number by number: without AVX512, or without torch's library for it."""
    return not (torch.backends.mkldnn.is_available() and torch.ops.mkldnn._is_mkldnn_bf16_supported())


@contextmanager
def products_in_float32(model: nn.Module) -> Iterator[None]:
    """Within the block the model's linear layers of 16 bits on such a CPU multiply in float32.

    Nothing is held for it: a layer's weight is converted when it is needed. What other code put in place of a layer's
    forward stays, so blocks may be nested.
    """
    layers: list[Any] = [layer for layer in model.modules() if _is_slow(layer)] if slow_16_bits() else []
    for layer in layers:
        vars(layer)["forward"] = _Float32Products(layer)
    try:
        yield
    finally:
        for layer in layers:
            del vars(layer)["forward"]


def _is_slow(layer: nn.Module) -> bool:
    weight = getattr(layer, "weight", None)
    return (
        type(layer) is nn.Linear
        and isinstance(weight, Tensor)
        and not isinstance(weight, DTensor)
        and weight.dtype == torch.bfloat16
        and weight.device.type == "cpu"
        and "forward" not in vars(layer)
    )


class _Float32Products:
    """In place of a linear layer's forward."""

    def __init__(self, layer: nn.Linear) -> None:
        self._layer = layer

    def __call__(self, inputs: Tensor) -> Tensor:
        step: Any = _RoundedLinear
        out: Tensor = step.apply(inputs.flatten(0, -2), self._layer.weight, self._layer.bias)
        return out.view(*inputs.shape[:-1], -1)


class _RoundedLinear(Function):
    """y = x W^T + bias, added up in float32 and rounded to 16 bits, for x [R, inputs] and W [outputs, inputs]."""

    @staticmethod
    def forward(ctx: Any, inputs: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        ctx.save_for_backward(inputs if ctx.needs_input_grad[1] else None, weight)
        wide_bias = None if bias is None else bias.float()
        return nn.functional.linear(inputs.float(), weight.float(), wide_bias).to(inputs.dtype)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (gradient,) = gradients
        inputs, weight = ctx.saved_tensors
        wide = gradient.float()
        to_inputs = (wide @ weight.float()).to(gradient.dtype) if ctx.needs_input_grad[0] else None
        to_weight = (wide.T @ inputs.float()).to(weight.dtype) if ctx.needs_input_grad[1] else None
        to_bias = wide.sum(0).to(weight.dtype) if ctx.needs_input_grad[2] else None
        return to_inputs, to_weight, to_bias
