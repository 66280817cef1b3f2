"""bfloat16 matrix products on a CPU without bfloat16 instructions.

torch falls back to a scalar loop there: 800 tokens forward and backward through a layer take 40 times as long as in
float32 (`python -m benchmarks.formats`). Here products are computed in float32 and rounded once, as the instructions
would. A weight is converted at each use; no converted copy is stored.
"""

from functools import cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import Function


@cache
def slow_16_bits() -> bool:
    """Whether bfloat16 products fall back to a scalar loop: no AVX512, or a torch without oneDNN."""
    return not (torch.backends.mkldnn.is_available() and torch.ops.mkldnn._is_mkldnn_bf16_supported())


def rounded_product(a: Tensor, b: Tensor, bias: Tensor | None = None) -> Tensor:
    """a [R, K] @ b [K, N] + bias [N] -> [R, N], in the dtype of `a`, rounded once."""
    if a.dtype == torch.bfloat16 and a.device.type == "cpu" and slow_16_bits():
        return _product(a.float(), b.float(), None if bias is None else bias.float()).to(a.dtype)
    return _product(a, b, bias)


def _product(a: Tensor, b: Tensor, bias: Tensor | None) -> Tensor:
    return torch.mm(a, b) if bias is None else torch.addmm(bias, a, b)


def avoid_slow_products(model: nn.Module) -> None:
    """Make bfloat16 linear layers use `rounded_product` where this CPU needs it; the state dict is unchanged."""
    if not slow_16_bits():
        return
    for layer in model.modules():
        if type(layer) is nn.Linear and layer.weight.dtype == torch.bfloat16 and layer.weight.device.type == "cpu":
            vars(layer)["forward"] = _Forward(layer)


class _Forward:
    """Replaces a linear layer's forward."""

    def __init__(self, layer: nn.Linear) -> None:
        self._layer = layer

    def __call__(self, x: Tensor) -> Tensor:
        step: Any = _Linear
        out: Tensor = step.apply(x.flatten(0, -2), self._layer.weight, self._layer.bias)
        return out.view(*x.shape[:-1], -1)


class _Linear(Function):
    """y = x W^T + bias for x [R, in] and W [out, in]."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        ctx.save_for_backward(x if ctx.needs_input_grad[1] else None, weight)
        return rounded_product(x, weight.T, bias)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (gradient,) = gradients
        x, weight = ctx.saved_tensors
        to_x = rounded_product(gradient, weight) if ctx.needs_input_grad[0] else None
        to_weight = rounded_product(gradient.T, x) if ctx.needs_input_grad[1] else None
        to_bias = gradient.sum(0) if ctx.needs_input_grad[2] else None
        return to_x, to_weight, to_bias
