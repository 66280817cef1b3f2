"""A CPU without instructions for 16-bit products takes the same products in float32 (the tests' number format is
bfloat16 unless they say otherwise).
"""

import pytest
import torch
from torch import nn

from engine.families import new_model
from preceptor.engine import _attention, _sixteen_bits, answer_logprobs
from preceptor.engine._sixteen_bits import products_in_float32
from preceptor.models import Encoded


def take_cpu(monkeypatch: pytest.MonkeyPatch, *, slow: bool) -> None:
    """A CPU without them, or with them, whatever this one has."""
    for module in (_sixteen_bits, _attention):
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
    with products_in_float32(layer):
        out = layer(inputs)
        out.backward(weights)
    assert torch.equal(out, exact(wide).bfloat16())
    exact(wide).backward(weights.float())
    assert inputs.grad is not None
    assert wide.grad is not None
    torch.testing.assert_close(inputs.grad, wide.grad.bfloat16())
    for rounded, whole in zip(layer.parameters(), exact.parameters(), strict=True):
        assert (rounded.grad is not None) is learns
        if rounded.grad is not None and whole.grad is not None:
            torch.testing.assert_close(rounded.grad, whole.grad.bfloat16())


def test_only_linear_layers_of_16_bits_are_touched_and_all_are_given_back() -> None:
    model = nn.Sequential(nn.Linear(4, 4).bfloat16(), nn.Linear(4, 4), nn.LayerNorm(4).bfloat16())
    with products_in_float32(model):
        assert ["forward" in vars(layer) for layer in model] == [True, False, False]
        with products_in_float32(model):
            pass
        assert "forward" in vars(model[0])
    assert not any("forward" in vars(layer) for layer in model)
    with pytest.raises(ZeroDivisionError), products_in_float32(model):
        raise ZeroDivisionError
    assert not any("forward" in vars(layer) for layer in model)


@pytest.mark.parametrize("family", ["llama", "gemma2", "mistral with a window"])
def test_a_model_gives_the_same_log_probabilities_either_way(family: str, monkeypatch: pytest.MonkeyPatch) -> None:
    model = new_model(family).bfloat16()
    prompt = list(range(1, 20))
    asked = [Encoded(prompt, [3, 4, 5]), Encoded(prompt, [6])]
    with torch.no_grad():
        here = torch.cat(answer_logprobs(model, asked))
        take_cpu(monkeypatch, slow=False)
        there = torch.cat(answer_logprobs(model, asked))
    torch.testing.assert_close(here, there, atol=0.05, rtol=0.01)
