"""Layers computed in fewer passes give what transformers' and peft's own code gives."""

import copy
from typing import Any

import pytest
import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM, GPT2Config, LlamaConfig, MistralConfig, Qwen2Config, Qwen3Config

from preceptor.models._fused import fuse

SMALL: dict[str, Any] = {
    "vocab_size": 50,
    "hidden_size": 16,
    "intermediate_size": 40,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "head_dim": 8,
}
FAMILIES = {
    "llama": lambda: LlamaConfig(**SMALL),
    "llama with biases": lambda: LlamaConfig(**SMALL, attention_bias=True, mlp_bias=True),
    "mistral": lambda: MistralConfig(**SMALL),
    "qwen2": lambda: Qwen2Config(**SMALL),
    "qwen3": lambda: Qwen3Config(**SMALL),
    "gpt2": lambda: GPT2Config(vocab_size=50, n_embd=16, n_layer=2, n_head=2),
}
IDS = torch.randint(50, (2, 70), generator=torch.Generator().manual_seed(0))


def tuned(config: Any) -> Any:
    torch.manual_seed(0)
    backbone = AutoModelForCausalLM.from_config(config)
    model: Any = get_peft_model(backbone, LoraConfig(r=4, lora_alpha=8, target_modules="all-linear"))
    for name, weight in model.named_parameters():
        if "lora_B" in name:
            weight.data.normal_()
    return model.eval()  # GPT-2 would drop out at random


def logits_and_gradient(model: Any) -> tuple[torch.Tensor, torch.Tensor]:
    """In double precision; the gradient of every adapter weight as one vector."""
    out = model(input_ids=IDS).logits
    learning = [weight for weight in model.parameters() if weight.requires_grad]
    slopes = torch.autograd.grad(out.square().sum(), learning)
    return out.detach().double(), torch.cat([slope.flatten().double() for slope in slopes])


@pytest.mark.parametrize("family", FAMILIES)
def test_values_and_gradients_are_as_exact_as_theirs(family: str) -> None:
    plain = tuned(FAMILIES[family]())
    fused, exact = copy.deepcopy(plain), copy.deepcopy(plain).double()
    fuse(fused)
    for theirs, ours, right in zip(*map(logits_and_gradient, (plain, fused, exact)), strict=True):
        assert float((ours - right).norm()) < 2 * float((theirs - right).norm())
        assert float((ours - right).norm() / right.norm()) < 1e-4


def test_names_and_weights_stay() -> None:
    plain = tuned(FAMILIES["llama"]())
    fused = copy.deepcopy(plain)
    fuse(fused)
    a, b = plain.state_dict(), fused.state_dict()
    assert a.keys() == b.keys()
    assert all(torch.equal(a[name], b[name]) for name in a)


def test_an_adapter_that_is_off_or_merged_is_left_to_peft() -> None:
    model = tuned(FAMILIES["llama"]())
    fuse(model)
    with torch.no_grad():
        on = model(input_ids=IDS).logits
        with model.disable_adapter():
            off = model(input_ids=IDS).logits
        model.merge_adapter()
        merged = model(input_ids=IDS).logits
    assert not torch.allclose(on, off, atol=0.01)
    torch.testing.assert_close(merged, on, atol=1e-5, rtol=1e-5)


def test_a_16_bit_backbone_with_a_32_bit_adapter_computes_as_peft_does() -> None:
    plain = tuned(FAMILIES["llama"]())
    for name, weight in plain.named_parameters():
        if "lora" not in name:
            weight.data = weight.data.bfloat16()
    fused = copy.deepcopy(plain)
    fuse(fused)
    outs = [model(input_ids=IDS).logits for model in (plain, fused)]
    assert outs[1].dtype == torch.bfloat16
    torch.testing.assert_close(outs[1], outs[0], atol=0.02, rtol=0.02)  # the gate rounds once less
    grads = []
    for model, out in zip((plain, fused), outs, strict=True):
        learning = {name: weight for name, weight in model.named_parameters() if "lora" in name}
        out.float().square().sum().backward()
        assert {weight.grad.dtype for weight in learning.values() if weight.grad is not None} == {torch.float32}
        grads.append(torch.cat([weight.grad.flatten() for weight in learning.values() if weight.grad is not None]))
    assert float((grads[1] - grads[0]).norm() / grads[0].norm()) < 0.02


def test_adapters_with_more_to_them_are_left_to_peft() -> None:
    for more in ({"lora_dropout": 0.5}, {"lora_bias": True}, {"use_dora": True}):
        torch.manual_seed(0)
        backbone = AutoModelForCausalLM.from_config(FAMILIES["llama"]())
        model: Any = get_peft_model(backbone, LoraConfig(r=4, target_modules="all-linear", **more))
        fuse(model)
        adapted = [module for name, module in model.named_modules() if name.endswith("q_proj")]
        assert adapted
        assert all("forward" not in vars(module) for module in adapted), more
