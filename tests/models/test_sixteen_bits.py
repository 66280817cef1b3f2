"""A CPU without instructions for 16-bit products takes the same products in float32 (the tests' number format is
bfloat16 unless they say otherwise).
"""

from typing import Any

import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from preceptor.engine import answer_logprobs
from preceptor.engine.tree import attention
from preceptor.models import AdapterSettings, Encoded, ModelSource, _sixteen_bits, load_policy, new_policy
from preceptor.models._sixteen_bits import avoid_slow_products


def take_cpu(monkeypatch: pytest.MonkeyPatch, *, slow: bool) -> None:
    """A CPU without them, or with them, whatever this one has."""
    for module in (_sixteen_bits, attention):
        monkeypatch.setattr(module, "slow_16_bits", lambda: slow)


@pytest.fixture(autouse=True)
def _slow_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    take_cpu(monkeypatch, slow=True)


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("learns", [False, True])
def test_values_and_gradients_are_the_rounded_ones_of_float32(bias: bool, learns: bool) -> None:
    torch.manual_seed(1)
    layer = nn.Linear(32, 48, bias=bias).bfloat16().requires_grad_(learns)
    exact = nn.Linear(32, 48, bias=bias).requires_grad_(learns)
    exact.load_state_dict({name: weight.float() for name, weight in layer.state_dict().items()})
    inputs = torch.randn(2, 3, 32).bfloat16().requires_grad_()
    wide = inputs.detach().float().requires_grad_()
    weights = torch.randn(2, 3, 48).bfloat16()
    avoid_slow_products(layer)
    out = layer(inputs)
    out.backward(weights)
    torch.testing.assert_close(out, exact(wide).bfloat16())
    exact(wide).backward(weights.float())
    assert inputs.grad is not None
    assert wide.grad is not None
    torch.testing.assert_close(inputs.grad, wide.grad.bfloat16())
    for rounded, whole in zip(layer.parameters(), exact.parameters(), strict=True):
        assert (rounded.grad is not None) is learns
        if rounded.grad is not None and whole.grad is not None:
            torch.testing.assert_close(rounded.grad, whole.grad.bfloat16())


def test_only_linear_layers_of_16_bits_are_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    def layers() -> nn.Sequential:
        return nn.Sequential(nn.Linear(4, 4).bfloat16(), nn.Linear(4, 4), nn.LayerNorm(4).bfloat16())

    slow, fast = layers(), layers()
    avoid_slow_products(slow)
    take_cpu(monkeypatch, slow=False)
    avoid_slow_products(fast)
    assert ["forward" in vars(layer) for layer in slow] == [True, False, False]
    assert ["forward" in vars(layer) for layer in fast] == [False, False, False]


def test_no_layer_of_a_policy_multiplies_16_bits(tiny_source: ModelSource) -> None:
    """Neither in the forward nor in the backward, with an adapter or with every weight learning."""
    for adapter in (AdapterSettings(rank=4, alpha=8), None):
        policy = new_policy(tiny_source, adapter, seed=0, dtype=torch.bfloat16)
        with _Products() as products:
            torch.cat(answer_logprobs(policy.model, [Encoded([1, 2, 3], [4, 5])])).sum().backward()
        assert products.formats == {torch.float32}


class _Products(TorchDispatchMode):
    """The number formats that matrices are multiplied in."""

    def __init__(self) -> None:
        super().__init__()
        self.formats: set[torch.dtype] = set()

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if function._schema.name in ("aten::mm", "aten::addmm", "aten::addmm_", "aten::bmm", "aten::linear"):
            self.formats.add(args[-1].dtype)
        return function(*args, **(kwargs or {}))


def test_a_model_gives_the_same_log_probabilities_either_way(
    tiny_source: ModelSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    prompt = list(range(1, 20))
    asked = [Encoded(prompt, [3, 4, 5]), Encoded(prompt, [6])]
    found = []
    for slow in (True, False):
        take_cpu(monkeypatch, slow=slow)
        model = load_policy(tiny_source, None, dtype=torch.bfloat16).model
        with torch.no_grad():
            found.append(torch.cat(answer_logprobs(model, asked)))
    torch.testing.assert_close(found[0], found[1], atol=0.05, rtol=0.01)
