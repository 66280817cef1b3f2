from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from transformers import (
    AutoModelForCausalLM,
    FalconConfig,
    Gemma2Config,
    Gemma3TextConfig,
    GPT2Config,
    GraniteConfig,
    LlamaConfig,
    MistralConfig,
    PretrainedConfig,
    Qwen3Config,
)

from engine.families import TWO_LAYERS
from preceptor.engine import Cost, answer_logprobs, can_share, distinct_prefixes
from preceptor.models import Encoded

SMALL: dict[str, Any] = TWO_LAYERS | {"vocab_size": 64}
SHARING = {
    "llama": lambda: LlamaConfig(**SMALL),
    "qwen3": lambda: Qwen3Config(**SMALL),
    "mistral without a window": lambda: MistralConfig(**SMALL, sliding_window=None),
    "gpt2": lambda: GPT2Config(vocab_size=64, n_embd=32, n_layer=2, n_head=4, n_positions=64),
    "mistral with a window": lambda: MistralConfig(**SMALL, sliding_window=4),
    "qwen3 with a window in half of its layers": lambda: Qwen3Config(
        **SMALL, use_sliding_window=True, sliding_window=4, max_window_layers=1
    ),
    "gemma2 with bent scores and a window": lambda: Gemma2Config(
        **SMALL, sliding_window=4, attn_logit_softcapping=3.0, final_logit_softcapping=5.0
    ),
    "gemma3": lambda: Gemma3TextConfig(**SMALL, sliding_window=4),
}
ONE_BY_ONE = {
    "granite with scaled logits": lambda: GraniteConfig(**SMALL, logits_scaling=3.0),
    "falcon with distances in place of positions": lambda: FalconConfig(
        vocab_size=64, hidden_size=32, num_hidden_layers=2, num_attention_heads=4, alibi=True
    ),
}

PROMPT = list(range(20, 32))
BATCH = [
    Encoded(PROMPT, [1, 2, 3]),
    Encoded(PROMPT, [1, 2]),  # the beginning of another answer
    Encoded(PROMPT, [1, 2, 3]),  # the same answer again
    Encoded(PROMPT[:5], [6, 7, 8, 9]),  # the beginning of another prompt
    Encoded([*PROMPT[:5], 6, 7], [8, 9]),  # its prompt reaches into another one's answer
    Encoded([50, 51], [1]),  # nothing in common
]


@pytest.fixture
def build(sharpen: Callable[[nn.Module], Any]) -> Callable[[PretrainedConfig], Any]:
    def built(config: PretrainedConfig) -> Any:
        torch.manual_seed(0)
        return sharpen(AutoModelForCausalLM.from_config(config))

    return built


def naive(model: nn.Module, sequence: Encoded) -> Tensor:
    """Every logit of the whole sequence, from the model as everyone calls it."""
    ids = torch.tensor([sequence.prompt + sequence.answer])
    logprobs = model(input_ids=ids).logits[0].log_softmax(-1)
    first = len(sequence.prompt) - 1
    return torch.stack([logprobs[first + k, token] for k, token in enumerate(sequence.answer)])


def gradients(model: nn.Module, logprobs: list[Tensor]) -> list[Tensor]:
    weights = [p for p in model.parameters() if p.requires_grad]
    # Answers weigh differently, so that gradients sent to the wrong answer show.
    return list(torch.autograd.grad(sum((n + 1) * one.sum() for n, one in enumerate(logprobs)), weights))


def assert_close(got: list[Tensor], expected: list[Tensor], tolerance: float = 1e-5) -> None:
    for a, b in zip(got, expected, strict=True):
        torch.testing.assert_close(a, b, atol=tolerance, rtol=tolerance)


@pytest.mark.parametrize("family", SHARING)
def test_a_tree_gives_what_each_sequence_gives_alone(family: str, build: Callable[..., Any]) -> None:
    model = build(SHARING[family]())
    assert can_share(model)
    expected = [naive(model, sequence) for sequence in BATCH]
    assert float(torch.cat(expected).detach().std()) > 0.5, "these weights could not tell a wrong mask from a right one"
    for share in (True, False):
        got = answer_logprobs(model, BATCH, share=share)
        assert_close(got, expected)
        assert_close(gradients(model, got), gradients(model, [naive(model, one) for one in BATCH]), 1e-4)


@pytest.mark.parametrize("family", ONE_BY_ONE)
def test_a_model_that_cannot_take_a_tree_is_found_out_and_still_right(family: str, build: Callable[..., Any]) -> None:
    model = build(ONE_BY_ONE[family]())
    assert not can_share(model)
    with torch.no_grad():
        assert_close(answer_logprobs(model, BATCH, share=False), [naive(model, sequence) for sequence in BATCH])


def test_a_batch_of_one(build: Callable[..., Any]) -> None:
    model = build(LlamaConfig(**SMALL))
    with torch.no_grad():
        assert_close(answer_logprobs(model, BATCH[:1]), [naive(model, BATCH[0])])


def test_order_and_neighbours_do_not_matter(build: Callable[..., Any]) -> None:
    model = build(LlamaConfig(**SMALL))
    with torch.no_grad():
        assert_close(answer_logprobs(model, BATCH[::-1])[::-1], answer_logprobs(model, BATCH))


def test_cost_counts_what_was_seen_and_what_was_computed(build: Callable[..., Any]) -> None:
    model = build(LlamaConfig(**SMALL))
    whole = [one.prompt + one.answer for one in BATCH]
    shared, alone = Cost(), Cost()
    answer_logprobs(model, BATCH, cost=shared)
    answer_logprobs(model, BATCH, share=False, cost=alone)
    assert shared.tokens_seen == alone.tokens_seen == alone.tokens_computed == sum(map(len, whole))
    assert shared.tokens_computed == distinct_prefixes(whole) < shared.tokens_seen
    assert 0 < shared.flops < alone.flops
