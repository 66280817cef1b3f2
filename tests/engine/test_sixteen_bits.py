"""What 16 bits may change, and what they may not: the same function to their precision, and the same learning."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from engine.families import FAMILIES, STOP, make_pairs, new_model
from preceptor.engine import (
    DPOSettings,
    EncodedPair,
    Numerics,
    SFTSettings,
    answer_logprobs,
    can_share,
    run_dpo,
    run_sft,
    sft_loss,
)
from preceptor.models import AdapterSettings, Encoded, ModelSource, Policy, new_policy

PAIRS = make_pairs(12)
EXAMPLES = [Encoded(pair.prompt, pair.chosen) for pair in PAIRS]
BF16 = Numerics(dtype="bfloat16", threads=1)


def logprobs_and_gradient(model: nn.Module, *, share: bool) -> tuple[Tensor, Tensor]:
    """Of every answer token; the gradient as one float32 vector."""
    model.zero_grad()
    logprobs = torch.cat(answer_logprobs(model, EXAMPLES, share=share))
    sft_loss(logprobs).backward()
    parts = [torch.zeros_like(w) if w.grad is None else w.grad for w in model.parameters()]
    return logprobs.detach(), torch.cat([part.flatten().float() for part in parts])


@pytest.mark.parametrize("family", FAMILIES)
def test_a_tree_is_as_near_to_32_bits_as_the_models_own_code(family: str) -> None:
    model: Any = new_model(family).eval()
    exact, exact_gradient = logprobs_and_gradient(model, share=False)
    model.bfloat16()
    assert can_share(model)
    off = {}
    for share in (True, False):
        logprobs, gradient = logprobs_and_gradient(model, share=share)
        assert logprobs.dtype == torch.float32
        off[share] = torch.stack(
            [(logprobs - exact).square().mean().sqrt(), (gradient - exact_gradient).norm() / exact_gradient.norm()]
        )
    assert bool((off[True] < 2 * off[False] + 1e-3).all()), f"{off[True]} in a tree, {off[False]} one by one"
    assert float(off[True][1]) < 0.1


def test_policies_in_16_bits_learn_by_example_and_by_preference(tiny_source: ModelSource, tmp_path: Path) -> None:
    policy = new_policy(tiny_source, AdapterSettings(rank=4, alpha=8), seed=0, dtype=torch.bfloat16)
    same = [Encoded(pair.prompt, PAIRS[0].chosen) for pair in PAIRS]
    settings = SFTSettings(learning_rate=2e-2, epochs=6, batch_size=4, warmup_steps=0)
    sft = run_sft(policy, same, same, settings, BF16, tmp_path / "sft", seed=0)
    losses = [row["loss"] for row in sft.history if "loss" in row]
    assert losses[-1] < losses[0] - 0.5
    pairs = [EncodedPair(pair.prompt, [5, STOP], PAIRS[0].chosen) for pair in PAIRS]
    told = DPOSettings(learning_rate=2e-2, epochs=4, batch_size=4, sft_weight=0)
    dpo = run_dpo(policy, pairs, [], told, BF16, tmp_path / "dpo", seed=0)
    margins = [row["rewards/margins"] for row in dpo.history if "rewards/margins" in row]
    assert abs(margins[0]) < 0.05
    assert margins[-1] > 0.1
    assert {w.dtype for w in policy.model.parameters() if w.requires_grad} == {torch.float32}


def test_a_16_bit_run_is_the_same_twice(
    tiny_source: ModelSource, weights: Callable[[Policy], dict[str, Tensor]], tmp_path: Path
) -> None:
    kept = []
    for name in ("one", "two"):
        policy = new_policy(tiny_source, AdapterSettings(rank=4, alpha=8), seed=0, dtype=torch.bfloat16)
        run_sft(policy, EXAMPLES, EXAMPLES[:2], SFTSettings(epochs=1), BF16, tmp_path / name, seed=0)
        kept.append(weights(policy))
    assert all(torch.equal(kept[0][name], kept[1][name]) for name in kept[0])
