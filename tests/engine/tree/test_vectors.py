"""Vectors in place of tokens on tiny random models, float32 unless a test says otherwise: the tree is set against
PEFT's own forward, and against transformers' own with `inputs_embeds`.
"""

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import pytest
import torch
from peft import get_peft_model
from torch import Tensor, nn
from transformers import AutoModelForCausalLM

from engine.families import FAMILIES
from preceptor.engine import Numerics, answer_logprobs, can_share, score_answers, sequence_states
from preceptor.engine.cost import Cost, forward_flops
from preceptor.engine.tree.sequence_checks import check_sequences
from preceptor.engine.tree.vectors import layout_for
from preceptor.errors import InputError
from preceptor.models import Encoded, Head, Policy, SlotSettings, prefix_tokens, slot_weights, soft_tokens, start_policy

LENGTH = 5
IN_FRONT = {
    "prompt tuning": SlotSettings(type="PROMPT_TUNING", num_virtual_tokens=LENGTH),
    "prompt tuning from words": SlotSettings(
        type="PROMPT_TUNING", num_virtual_tokens=LENGTH, prompt_tuning_init="SAMPLE_VOCAB"
    ),
    "p-tuning": SlotSettings(type="P_TUNING", num_virtual_tokens=LENGTH, encoder_hidden_size=8),
    "p-tuning by an LSTM": SlotSettings(
        type="P_TUNING", num_virtual_tokens=LENGTH, encoder_hidden_size=8, encoder_reparameterization_type="LSTM"
    ),
    "prefix tuning": SlotSettings(type="PREFIX_TUNING", num_virtual_tokens=LENGTH),
    "prefix tuning by a projection": SlotSettings(
        type="PREFIX_TUNING", num_virtual_tokens=LENGTH, prefix_projection=True, encoder_hidden_size=8
    ),
}
SHARED = list(range(20, 32))
BATCH = [
    Encoded(SHARED, [1, 2, 3]),
    Encoded(SHARED, [1, 2]),  # the beginning of another answer
    Encoded(SHARED[:5], [6, 7, 8, 9]),  # the beginning of another prompt
    Encoded([*SHARED[:5], 6, 7], [8, 9]),
    Encoded([50, 51], [1]),  # nothing in common but what stands in front
]


@pytest.fixture
def policy_with(tiny_source: Any, sharpen: Callable[[nn.Module], Any]) -> Callable[..., Policy]:
    def make(name: str, dtype: torch.dtype = torch.float32) -> Policy:
        policy = start_policy(tiny_source, None, {"soft": IN_FRONT[name]}, ["soft"], seed=0, dtype=dtype)
        base = policy.model.get_base_model()
        sharpen(base)
        return policy

    return make


def naive(model: nn.Module, sequence: Encoded, **given: Any) -> Tensor:
    """Of the model as everyone calls it, whose last logits are those of the sequence whatever stands in front."""
    given = given or {"input_ids": torch.tensor([sequence.prompt + sequence.answer])}
    logprobs = model(**given).logits[0, -len(sequence.answer) - 1 : -1].float().log_softmax(-1)
    return logprobs.gather(-1, torch.tensor(sequence.answer)[:, None])[:, 0]


def gradients(logprobs: Sequence[Tensor], leaves: Sequence[Tensor]) -> tuple[Tensor, ...]:
    # Answers weigh differently, so that gradients sent to the wrong answer show.
    total: Any = sum((n + 1) * one.sum() for n, one in enumerate(logprobs))
    return torch.autograd.grad(total / len(logprobs), leaves)


def assert_same_slopes(got: Sequence[Tensor], expected: Sequence[Tensor]) -> None:
    """To 1e-5 of the largest, where that is above 1."""
    for a, b in zip(got, expected, strict=True):
        largest = max(1.0, float(b.abs().max()))
        torch.testing.assert_close(a / largest, b / largest, atol=1e-5, rtol=1e-5)


def assert_close(got: Sequence[Tensor], expected: Sequence[Tensor], tolerance: float = 1e-5) -> None:
    for a, b in zip(got, expected, strict=True):
        torch.testing.assert_close(a, b, atol=tolerance, rtol=tolerance)


@pytest.mark.parametrize("name", IN_FRONT)
def test_a_tree_behind_vectors_is_pefts_own_forward(name: str, policy_with: Callable[..., Policy]) -> None:
    policy = policy_with(name)
    leaves = list(slot_weights(policy.model, "soft").values())
    expected = [naive(policy.model, one) for one in BATCH]
    assert float(torch.cat(expected).detach().std()) > 0.5, "these weights could not tell a wrong mask from a right one"
    without = [naive(policy.model.get_base_model(), one) for one in BATCH]
    assert not torch.allclose(torch.cat(without), torch.cat(expected), atol=1e-2), "what stands in front does nothing"
    slopes = gradients(expected, leaves)
    assert all(bool(slope.any()) for slope in slopes)
    for share in (True, False):
        got = answer_logprobs(policy.model, BATCH, share=share)
        assert_close(got, expected)
        assert_same_slopes(gradients(got, leaves), slopes)


@pytest.mark.parametrize("name", ["prompt tuning", "p-tuning", "prefix tuning"])
def test_in_bfloat16_it_is_as_near_as_rounding(name: str, policy_with: Callable[..., Policy]) -> None:
    """bfloat16: against PEFT's forward of the same weights; 0.05 nats a token is what DPO's reference is allowed."""
    policy = policy_with(name, torch.bfloat16)
    with torch.no_grad():
        for weight in policy.model.get_base_model().parameters():
            weight /= 4
        assert can_share(policy.model)
        got, alone = (answer_logprobs(policy.model, BATCH, share=share) for share in (True, False))
    apart = (torch.cat(got) - torch.cat(alone)).abs()
    assert float(apart.mean()) < 0.05


@pytest.mark.parametrize("kind", ["PROMPT_TUNING", "PREFIX_TUNING"])
@pytest.mark.parametrize("family", ["qwen3 with a window", "mistral with a window", "gemma2", "gemma3", "gpt2"])
def test_other_families_share_behind_vectors_too(kind: str, family: str, sharpen: Callable[[nn.Module], Any]) -> None:
    """Some with windows shorter than what they read, and with scores that are bent."""
    torch.manual_seed(0)
    attention = "eager" if family == "gemma2" else "sdpa"
    base = sharpen(AutoModelForCausalLM.from_config(FAMILIES[family](), attn_implementation=attention))
    slot = SlotSettings(type=kind, num_virtual_tokens=LENGTH)
    model: Any = get_peft_model(base, slot.peft_config("CAUSAL_LM"))
    assert can_share(model)
    with torch.no_grad():
        assert_close(answer_logprobs(model, BATCH), [naive(model, one) for one in BATCH], 1e-4)


@pytest.mark.parametrize("name", ["prompt tuning", "prefix tuning"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_positions_that_forget_what_stands_in_front_are_noticed(
    name: str, dtype: torch.dtype, policy_with: Callable[..., Policy], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both formats: the two ways are compared with a slot of the same kind, where a model is compared in place too."""
    policy = policy_with(name, dtype)
    assert can_share(policy.model)
    from preceptor.engine.tree import vectors

    def at_0(model: Any, tree: Any, given: Any) -> dict[str, Any]:
        inputs = whole(model, tree, given)
        positions = inputs["position_ids"] - (tree.prefix + tree.soft)
        return inputs | {"position_ids": positions.clamp(min=0)}

    whole = vectors.tree_inputs
    monkeypatch.setattr("preceptor.engine.tree.logprobs.tree_inputs", at_0)
    assert not can_share(policy.model)


@pytest.mark.parametrize("name", ["prompt tuning", "prefix tuning"])
def test_labels_are_scored_and_states_read_behind_them(name: str, policy_with: Callable[..., Policy]) -> None:
    policy = policy_with(name)
    prompts, labels = [one.prompt for one in BATCH[:3]], [[9, 2], [10, 11, 2]]
    scores, _ = score_answers(policy, prompts, [labels] * 3, Numerics(threads=1))
    assert policy.shares_prefixes is True
    with torch.no_grad():
        expected = [[float(naive(policy.model, Encoded(p, label)).sum()) for label in labels] for p in prompts]
        torch.testing.assert_close(torch.tensor(scores), torch.tensor(expected), atol=1e-4, rtol=1e-5)
        for pool in ("last", "mean"):
            head = Head(48, 2, pool)
            tree, alone = (sequence_states(policy.model, prompts, head, share=share) for share in (True, False))
            whole = [policy.model(input_ids=torch.tensor([one]), output_hidden_states=True) for one in prompts]
            own = [one.hidden_states[-1][0][-len(p) :] for one, p in zip(whole, prompts, strict=True)]
            read = torch.stack([states[-1] if pool == "last" else states.mean(0) for states in own])
            assert_close([tree, alone], [read, read])


def test_what_stands_in_front_is_computed_once_a_tree_and_counted(policy_with: Callable[..., Policy]) -> None:
    for name, soft, prefix in (("prompt tuning", LENGTH, 0), ("prefix tuning", 0, LENGTH)):
        model = policy_with(name).model
        assert (soft_tokens(model), prefix_tokens(model)) == (soft, prefix)
        tree = layout_for(model, [one.prompt + one.answer for one in BATCH])
        assert (tree.soft, tree.prefix) == (soft, prefix)
        cost = Cost()
        with torch.no_grad():
            answer_logprobs(model, BATCH, cost=cost)
        assert cost.tokens_computed == len(tree) - soft, "vectors are no tokens"
        assert cost.tokens_seen == sum(len(one.prompt + one.answer) for one in BATCH)
        rows = forward_flops(model, 0, 1)
        body = forward_flops(model, 1, 0)
        assert (cost.flops - body * (cost.tokens_computed + soft)) % rows == 0, "soft tokens pass through the body"
    encoder = policy_with("p-tuning").model
    plain = forward_flops(encoder.get_base_model(), 1, 0)
    assert forward_flops(encoder, 1, 0) == plain, "what makes the vectors is no part of the body"
    net = 48 * 8 + 8 * 8 + 8 * 48
    assert forward_flops(encoder, 0, 0, fronts=2) == 2 * LENGTH * (plain + 2 * net)


def test_vectors_in_front_take_positions(policy_with: Callable[..., Policy]) -> None:
    for name in ("prompt tuning", "prefix tuning"):
        model = policy_with(name).model
        most = int(model.config.max_position_embeddings) - LENGTH
        check_sequences([Encoded([5] * (most - 1), [2])], model)
        with pytest.raises(InputError, match=f"beside {LENGTH} vectors in front.*max_length to {most} or less"):
            check_sequences([Encoded([5] * most, [2])], model)


SOFT = [-1, -2, -3]
"""Three vectors of their own, as a few-shot prompt has them behind a note."""
WITHIN = [
    Encoded([*SHARED, *SOFT, 40], [1, 2]),
    Encoded([*SHARED, *SOFT, 40], [3]),  # the same note
    Encoded([*SHARED[:7], *SOFT, 40], [1]),  # another one
    Encoded([60, -2, 61, -2], [4, 5]),  # anywhere, and twice
    Encoded([*SHARED], [7]),  # none
]


@pytest.mark.parametrize("name", [None, "prompt tuning", "prefix tuning"])
def test_vectors_within_sequences_are_inputs_embeds(
    name: str | None, policy_with: Callable[..., Policy], make_policy: Callable[..., Policy]
) -> None:
    """Against transformers' own forward, or PEFT's where vectors stand in front, too."""
    policy = make_policy(tuned=1) if name is None else policy_with(name)
    embedding = policy.model.get_input_embeddings()
    vectors = 0.5 * torch.randn(3, 48, generator=torch.Generator().manual_seed(0))
    vectors.requires_grad_()

    def embedded(sequence: Encoded) -> Tensor:
        ids = sequence.prompt + sequence.answer
        rows = [vectors[-1 - one] if one < 0 else embedding(torch.tensor(one)) for one in ids]
        return torch.stack(rows)[None]

    learning = [vectors, *(weight for weight in policy.model.parameters() if weight.requires_grad)]
    expected = [naive(policy.model, one, inputs_embeds=embedded(one)) for one in WITHIN]
    slopes = gradients(expected, learning)
    assert all(bool(row.any()) for row in slopes[0])
    for share in (True, False):
        got = answer_logprobs(policy.model, WITHIN, share=share, vectors=vectors)
        assert_close(got, expected)
        assert_same_slopes(gradients(got, learning), slopes)


def test_notes_that_begin_alike_share_vectors_behind_them(make_policy: Callable[..., Policy]) -> None:
    cost, alone = Cost(), Cost()
    model, vectors = make_policy().model, torch.zeros(3, 48)
    with torch.no_grad():
        answer_logprobs(model, WITHIN[:2], cost=cost, vectors=vectors)
        answer_logprobs(model, WITHIN[:1], cost=alone, vectors=vectors)
    assert cost.tokens_computed == alone.tokens_computed + 1, "the answer alone is another one"
    steps = pairwise([cost.tokens_seen, alone.tokens_seen])
    assert [a - b for a, b in steps] == [len(WITHIN[1].prompt + WITHIN[1].answer)]
