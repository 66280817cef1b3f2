"""The product with the vocabulary is float32 whatever the model's own format is, for our code and the model's own."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from transformers import AutoModelForCausalLM, BioGptConfig, GraniteConfig

from engine.families import FAMILIES, TWO_LAYERS, new_model
from preceptor.engine import answer_logprobs, float32_head
from preceptor.engine import output_layer as output_layer_module
from preceptor.engine.cost import forward_flops
from preceptor.engine.output_layer import float32_copy, output_layer, product
from preceptor.models import Encoded, Policy

WIDTH, VOCABULARY = 32, 200


def head(dtype: torch.dtype = torch.bfloat16, *, bias: bool = False, learns: bool = False) -> nn.Linear:
    generator = torch.Generator().manual_seed(1)
    layer = nn.Linear(WIDTH, VOCABULARY, bias=bias)
    for weight in layer.parameters():
        weight.data = torch.randn(weight.shape, generator=generator)
    return layer.to(dtype).requires_grad_(learns)


class Model(nn.Module):
    """Nothing but an output layer."""

    def __init__(self, layer: nn.Linear) -> None:
        super().__init__()
        self.layer = layer

    def get_output_embeddings(self) -> nn.Linear:
        return self.layer


def hidden_states(rows: int = 5) -> Tensor:
    return torch.randn(rows, WIDTH, generator=torch.Generator().manual_seed(2)).bfloat16()


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("learns", [False, True])
def test_values_and_gradients_are_those_of_the_same_numbers_in_float32(bias: bool, learns: bool) -> None:
    layer, exact = head(bias=bias, learns=learns), head(bias=bias, learns=learns).float()
    hidden, wide = hidden_states().requires_grad_(), hidden_states().float().requires_grad_()
    with float32_head(Model(layer)):
        logits = layer(hidden)
        assert logits.dtype == torch.float32
        torch.testing.assert_close(logits, exact(wide), atol=1e-5, rtol=1e-5)
        (logits.log_softmax(-1)[:, 3].sum()).backward()
    (exact(wide).log_softmax(-1)[:, 3].sum()).backward()
    assert hidden.grad is not None
    assert wide.grad is not None
    torch.testing.assert_close(hidden.grad.float(), wide.grad, atol=1e-2, rtol=1e-2)
    if learns:
        for rounded, whole in zip(layer.parameters(), exact.parameters(), strict=True):
            assert rounded.grad is not None
            assert whole.grad is not None
            torch.testing.assert_close(rounded.grad.float(), whole.grad, atol=1e-2, rtol=1e-2)


def test_logits_do_not_lie_on_the_grid_of_16_bits() -> None:
    layer, hidden = head(), 8 * hidden_states()
    rounded = layer(hidden)
    with float32_head(Model(layer)):
        logits = layer(hidden)
    assert float(logits.abs().max()) > 32
    assert torch.equal(logits.bfloat16(), rounded) or float((logits - rounded.float()).abs().max()) <= 0.5
    assert float((logits - logits.bfloat16().float()).abs().max()) > 0.05


def test_by_parts_of_the_vocabulary_it_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    layer, hidden = head(), hidden_states()
    monkeypatch.setattr(output_layer_module, "_VOCABULARY_CHUNK", 64)
    whole = product(hidden, layer.weight, layer.weight.float())
    torch.testing.assert_close(product(hidden, layer.weight, None), whole, atol=1e-5, rtol=1e-5)


def test_the_layer_is_given_back_as_it_was_and_blocks_nest() -> None:
    layer = head()
    with float32_head(Model(layer)):
        forward = layer.forward
        with float32_head(Model(layer)):
            assert layer.forward is forward
        assert layer(hidden_states()).dtype == torch.float32
    assert "forward" not in vars(layer)
    assert layer(hidden_states()).dtype == torch.bfloat16


def test_an_error_in_the_block_gives_the_layer_back() -> None:
    layer = head()
    with pytest.raises(ZeroDivisionError), float32_head(Model(layer)):
        raise ZeroDivisionError
    assert "forward" not in vars(layer)


def test_a_float32_model_is_left_alone() -> None:
    layer = head(torch.float32)
    with float32_head(Model(layer)):
        assert "forward" not in vars(layer)


def test_one_copy_is_held_of_a_frozen_layer_and_none_of_one_that_learns() -> None:
    for learns in (False, True):
        layer = head(learns=learns)
        with float32_head(Model(layer)):
            assert (float32_copy(layer) is None) is learns
        assert float32_copy(layer) is None


@pytest.mark.parametrize("family", FAMILIES)
@torch.no_grad()
def test_the_models_own_code_gives_float32_logits(family: str) -> None:
    model: Any = new_model(family).eval().bfloat16()
    ids = torch.tensor([list(range(2, 12))])
    with float32_head(model):
        logits = model(input_ids=ids).logits
    assert logits.dtype == torch.float32
    assert not torch.equal(logits, logits.bfloat16().float())


@torch.no_grad()
def test_what_follows_the_output_layer_is_float32_too(sharpen: Callable[[nn.Module], Any]) -> None:
    torch.manual_seed(0)
    config = GraniteConfig(**TWO_LAYERS, vocab_size=64, logits_scaling=3.0)
    model = sharpen(AutoModelForCausalLM.from_config(config)).bfloat16()
    with float32_head(model):
        logits = model(input_ids=torch.tensor([[1, 2, 3]])).logits
    assert logits.dtype == torch.float32
    (alone,) = answer_logprobs(model, [Encoded([1, 2], [3])], share=False)
    torch.testing.assert_close(alone[0], logits[0, 1].log_softmax(-1)[3])


def test_the_output_layer_is_found_by_what_it_does_not_by_its_name(make_policy: Callable[..., Policy]) -> None:
    policy = make_policy()
    assert output_layer(policy.model) is policy.model.get_base_model().lm_head
    config = BioGptConfig(vocab_size=64, hidden_size=32, num_hidden_layers=1, num_attention_heads=4)
    biogpt: Any = AutoModelForCausalLM.from_config(config)
    assert output_layer(biogpt) is biogpt.output_projection
    one_row, two_rows = (forward_flops(biogpt, 7, rows) for rows in (1, 2))
    assert two_rows - one_row == 2 * 64 * 32
