"""Fused layers: the same functions in fewer passes over memory, the bottleneck where matrix products are fast."""

from types import MethodType
from typing import Any

import torch
from peft.tuners.lora import Linear
from torch import Tensor, nn
from torch.autograd import Function
from transformers.activations import SiLUActivation

from preceptor.models._sixteen_bits import rounded_product


def fuse(model: nn.Module) -> None:
    """Replace the forward of each plain LoRA layer, gated SiLU and frozen RMS norm by one autograd function.

    Outputs, parameter names and state dict are unchanged; layers of other kinds are left alone.
    """
    for module in model.modules():
        if _is_plain_lora(module):
            vars(module)["forward"] = MethodType(_lora_forward, module)
        elif type(module).__name__ in _GATED and isinstance(getattr(module, "act_fn", None), nn.SiLU | SiLUActivation):
            vars(module)["forward"] = MethodType(_gated_forward, module)
        elif type(module).__name__ in _NORMS and not module.weight.requires_grad:
            vars(module)["forward"] = MethodType(_norm_forward, module)


def _is_plain_lora(module: nn.Module) -> bool:
    """Whether it is a linear layer with LoRA's two matrices and nothing else: no dropout, bias or variant."""
    return (
        type(module) is Linear
        and type(module.base_layer) is nn.Linear
        and not module.lora_variant
        and not any(module.lora_bias.values())
        and all(isinstance(dropout, nn.Identity) for dropout in module.lora_dropout.values())
    )


_GATED = ("LlamaMLP", "MistralMLP", "Qwen2MLP", "Qwen3MLP")
"""Classes of transformers whose forward is down_proj(silu(gate_proj(x)) * up_proj(x))."""
_NORMS = ("LlamaRMSNorm", "MistralRMSNorm", "Qwen2RMSNorm", "Qwen3RMSNorm")
"""Classes of transformers whose forward is weight * x / root mean square of x."""
_ROWS = 64
"""Rows of a gate processed at a time, so that they fit into the core's own cache."""


def _lora_forward(layer: Any, x: Tensor) -> Tensor:
    plain = not layer.disable_adapters and not layer.merged and len(layer.active_adapters) == 1
    if not plain:
        whole: Tensor = Linear.forward(layer, x)
        return whole
    (name,) = layer.active_adapters
    base, a, b = layer.base_layer, layer.lora_A[name].weight, layer.lora_B[name].weight
    step: Any = _LoRALinear
    out: Tensor = step.apply(x, base.weight, base.bias, a, b, layer.scaling[name])
    return out


class _LoRALinear(Function):
    """y = x W^T + bias + scale (x A^T) B^T (Hu et al. 2021, equation 3), W frozen.

    x: [..., in], W: [out, in], A: [rank, in], B: [out, rank]. With float32 adapter weights beside a 16-bit W, their
    term is computed in float32 and rounded once, on addition, as in peft.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, a: Tensor, b: Tensor, scale: float) -> Tensor:
        rows = x.reshape(-1, x.shape[-1])
        low = (rows.to(a.dtype) @ a.T).mul_(scale)
        out = rounded_product(rows, weight.T, bias)
        _add_product(out, low, b.T)
        ctx.save_for_backward(rows, low, weight, a, b)
        ctx.scale = scale
        return out.view(*x.shape[:-1], -1)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        rows, low, weight, a, b = ctx.saved_tensors
        gradient = gradients[0].reshape(-1, weight.shape[0])
        wide = gradient.to(b.dtype)
        low_gradient = (wide @ b).mul_(ctx.scale)
        to_x = None
        if ctx.needs_input_grad[0]:
            to_x = rounded_product(gradient, weight)
            _add_product(to_x, low_gradient, a)
            to_x = to_x.view(*gradients[0].shape[:-1], -1)
        to_a = low_gradient.T @ rows.to(a.dtype) if ctx.needs_input_grad[3] else None
        to_b = wide.T @ low if ctx.needs_input_grad[4] else None
        return to_x, None, None, to_a, to_b, None


def _add_product(out: Tensor, left: Tensor, right: Tensor) -> None:
    """out += left @ right, in place."""
    if out.dtype == left.dtype:
        out.addmm_(left, right)
    else:
        out += left @ right


def _gated_forward(layer: Any, x: Tensor) -> Tensor:
    step: Any = _GatedSiLU
    out: Tensor = layer.down_proj(step.apply(layer.gate_proj(x), layer.up_proj(x)))
    return out


class _GatedSiLU(Function):
    """silu(gate) * up (Shazeer 2020, arXiv 2002.05202, equation 6, without its matrices). gate, up: [..., width]."""

    @staticmethod
    def forward(ctx: Any, gate: Tensor, up: Tensor) -> Tensor:
        ctx.save_for_backward(gate, up)
        out = torch.empty_like(gate)
        for one_out, one_gate, one_up in zip(*map(_parts, (out, gate, up)), strict=True):
            torch.mul(nn.functional.silu(one_gate), one_up, out=one_out)
        return out

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor]:
        gate, up = ctx.saved_tensors
        to_gate, to_up = torch.empty_like(gate), torch.empty_like(up)
        parts = zip(*map(_parts, (to_gate, to_up, gate, up, gradients[0].contiguous())), strict=True)
        for one_to_gate, one_to_up, one_gate, one_up, gradient in parts:
            torch.mul(nn.functional.silu(one_gate), gradient, out=one_to_up)
            one_to_gate.copy_(torch.ops.aten.silu_backward(gradient * one_up, one_gate))
        return to_gate, to_up


def _norm_forward(layer: Any, x: Tensor) -> Tensor:
    if x.dtype != torch.float32 or layer.weight.dtype != torch.float32:  # transformers' own rounds in between
        theirs: Tensor = type(layer).forward(layer, x)
        return theirs
    step: Any = _RMSNorm
    out: Tensor = step.apply(x, layer.weight, layer.variance_epsilon)
    return out


class _RMSNorm(Function):
    """y = weight * x / sqrt(mean(x^2) + epsilon) (Zhang and Sennrich 2019, arXiv 1910.07467, equation 4).

    x: [..., width], float32; weight: [width], frozen. With g = dL/dy and s = mean(x^2) + epsilon,
    dL/dx = (weight g - x mean(weight g x) / s) / sqrt(s).
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, epsilon: float) -> Tensor:
        # The operations of transformers' code in their order: a new adapter changes no bit of an output.
        inverse = x.square().mean(-1, keepdim=True).add_(epsilon).rsqrt_()
        ctx.save_for_backward(x, weight, inverse)
        out: Tensor = (x * inverse).mul_(weight)
        return out

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, inverse = ctx.saved_tensors
        weighted = gradients[0] * weight
        along = torch.linalg.vecdot(weighted, x)[..., None].mul_(inverse.pow(3)).div_(x.shape[-1])
        return weighted.mul_(inverse).addcmul_(x, along, value=-1), None, None


def _parts(x: Tensor) -> tuple[Tensor, ...]:
    rows = x.view(-1, x.shape[-1])
    return (rows,) if x.is_cuda else rows.split(_ROWS)
