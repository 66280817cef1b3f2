"""Which models may take prefix trees: found out in every number format, and asked once a policy."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn
from transformers import (
    AutoModelForCausalLM,
    CohereConfig,
    GraniteConfig,
    Llama4TextConfig,
    LlamaConfig,
    MistralConfig,
    PretrainedConfig,
)

from engine.families import TWO_LAYERS
from preceptor.engine import Numerics, can_share, generate, score_answers
from preceptor.engine.tree import sharing
from preceptor.models import Policy

SMALL: dict[str, Any] = TWO_LAYERS | {"vocab_size": 64}
DTYPES = [torch.float32, torch.bfloat16]


@pytest.fixture
def build(sharpen: Callable[[nn.Module], Any]) -> Callable[[PretrainedConfig], Any]:
    def built(config: PretrainedConfig) -> Any:
        torch.manual_seed(0)
        return sharpen(AutoModelForCausalLM.from_config(config))

    return built


@pytest.mark.parametrize(
    "text", [MistralConfig(**SMALL, sliding_window=512), Llama4TextConfig(**SMALL, attention_chunk_size=512)]
)
def test_a_window_is_found_that_is_wider_than_the_probe(text: PretrainedConfig, build: Callable[..., Any]) -> None:
    model = build(LlamaConfig(**SMALL))
    model.config = text
    assert not can_share(model)

    class PicturesAndText(PretrainedConfig):
        sub_configs = {"text_config": type(text)}  # noqa: RUF012

    model.config = PicturesAndText()
    model.config.text_config = text
    assert not can_share(model)


def test_asking_whether_a_model_can_share_leaves_it_as_it_was(build: Callable[..., Any]) -> None:
    model = build(LlamaConfig(**SMALL))
    for training in (True, False):
        model.train(training)
        assert can_share(model)
        assert model.training is training


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    "config",
    [
        GraniteConfig(**SMALL, logits_scaling=3.0),
        GraniteConfig(**SMALL, logits_scaling=1.05),
        CohereConfig(**SMALL, logit_scale=0.5, pad_token_id=0, bos_token_id=1, eos_token_id=2),
    ],
    ids=["granite", "granite, hardly scaled", "cohere"],
)
def test_scaled_logits_are_seen_in_every_format(
    config: PretrainedConfig, dtype: torch.dtype, build: Callable[..., Any]
) -> None:
    assert not can_share(build(config).to(dtype))


@pytest.mark.parametrize("dtype", DTYPES)
def test_newly_drawn_weights_hide_nothing(dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    config = GraniteConfig(**SMALL, logits_scaling=3.0)
    assert not can_share(AutoModelForCausalLM.from_config(config).to(dtype))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("config", [GraniteConfig(**SMALL, logits_scaling=1.0), LlamaConfig(**SMALL)])
def test_without_scaling_they_share(config: PretrainedConfig, dtype: torch.dtype, build: Callable[..., Any]) -> None:
    assert can_share(build(config).to(dtype))


def test_rounding_does_not_hide_attention_that_ignores_the_tree(
    build: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Weights so small that in 16 bits a wrong mask moves no log-probability further than rounding does."""
    model = build(LlamaConfig(**SMALL)).bfloat16()
    with torch.no_grad():
        for weight in model.parameters():
            weight /= 12
    assert can_share(model)
    monkeypatch.setattr(sharing, "hidden_states", _hidden_states_of_a_chain)
    monkeypatch.setattr("preceptor.engine.tree.logprobs.hidden_states", _hidden_states_of_a_chain)
    assert not can_share(model)


def _hidden_states_of_a_chain(model: Any, attention: Any, vectors: Any = None) -> torch.Tensor:
    """As a model would compute that heeds neither the tree's mask nor its positions."""
    causal = model
    for window in [None] * causal.config.num_hidden_layers:
        attention.windows.append(window)
    hidden: torch.Tensor = causal.base_model(
        input_ids=torch.tensor([attention.tree.ids]), use_cache=False
    ).last_hidden_state
    return hidden[0]


def test_a_policy_is_asked_once(make_policy: Callable[..., Policy], monkeypatch: pytest.MonkeyPatch) -> None:
    policy, asked = make_policy(), []

    def can_share_counted(model: nn.Module) -> bool:
        asked.append(model)
        return can_share(model)

    monkeypatch.setattr(sharing, "can_share", can_share_counted)
    for _ in range(2):
        generate(policy, [[5, 6, 7]], max_new_tokens=2, stop=frozenset(), on_batch=lambda *_: None)
        score_answers(policy, [[5, 6, 7]], [[[8], [9]]], Numerics(threads=1))
    assert len(asked) == 1
