"""How much work a stage will be is what its cost ledger says afterwards."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from preceptor.engine import (
    DPOSettings,
    EncodedPair,
    Numerics,
    Operations,
    SFTSettings,
    dpo_workload,
    generate,
    run_dpo,
    run_sft,
    score_answers,
    scoring_workload,
    sft_workload,
    writing_workload,
)
from preceptor.engine.estimate.workload import tree_workload
from preceptor.models import AdapterSettings, Encoded, Policy, new_policy

NUMERICS = Numerics(threads=1, tokens_per_tree=64)
TRAIN = [Encoded([1, 2, *range(3, 8 + n % 5)], [9 + n, 2]) for n in range(13)]
VALIDATION = [Encoded([1, 2, 30 + n], [9, 2]) for n in range(5)]
PAIRS = [EncodedPair([1, 2, 40 + n, 7], [9, 10, 2], [11, 2]) for n in range(7)]


@pytest.fixture
def policy(tiny_source: Any) -> Policy:
    """The tiny model with a new adapter."""
    return new_policy(tiny_source, AdapterSettings(rank=4), seed=0, dtype=NUMERICS.torch_dtype)


def test_sft(policy: Policy, tmp_path: Path) -> None:
    settings = SFTSettings(epochs=2, batch_size=4, looks_per_epoch=2, patience=99)
    cost = run_sft(policy, TRAIN, VALIDATION, settings, NUMERICS, tmp_path, seed=3).cost
    work = sft_workload(TRAIN, VALIDATION, settings, NUMERICS, share=True)
    assert work.seen == cost.tokens_seen
    assert work.steps == cost.optimizer_steps
    assert work.evaluations == 4  # eight steps, and a look after every second
    assert work.tokens == pytest.approx(cost.tokens_computed, rel=0.1)  # which cases share a tree is up to chance
    assert work.flops(Operations.of(policy.model)) == pytest.approx(cost.flops, rel=0.1)


def test_dpo(policy: Policy, tmp_path: Path) -> None:
    settings = DPOSettings(batch_size=3, epochs=1)
    cost = run_dpo(policy, PAIRS[:5], PAIRS[5:], settings, NUMERICS, tmp_path, seed=3).cost
    work = dpo_workload(PAIRS[:5], PAIRS[5:], settings, NUMERICS, share=True)
    assert (work.seen, work.steps) == (cost.tokens_seen, cost.optimizer_steps)
    assert work.tokens == pytest.approx(cost.tokens_computed, rel=0.1)
    assert work.flops(Operations.of(policy.model)) == pytest.approx(cost.flops, rel=0.1)


def test_scoring(policy: Policy) -> None:
    prompts, labels = [case.prompt for case in TRAIN], [[9, 2], [10, 11, 2]]
    _, cost = score_answers(policy, prompts, [labels] * len(prompts), NUMERICS)
    work = scoring_workload(prompts, [labels] * len(prompts), NUMERICS, share=True)
    assert (work.seen, work.tokens) == (cost.tokens_seen, cost.tokens_computed)
    assert work.flops(Operations.of(policy.model)) == pytest.approx(cost.flops)


def test_writing(policy: Policy) -> None:
    prompts = [case.prompt for case in TRAIN]
    cost = generate(policy, prompts, max_new_tokens=5, stop=frozenset(), rows=4, on_batch=lambda *_: None)
    work = writing_workload(prompts, [6] * len(prompts), 5, share=True, rows=4)
    assert (work.seen, work.tokens) == (cost.tokens_seen, cost.tokens_computed)
    assert work.flops(Operations.of(policy.model)) == pytest.approx(cost.flops)
    assert work.writing.steps == 4 * 4  # four batches, and the first token comes with the reading


@given(st.lists(st.tuples(st.lists(st.integers(0, 3), min_size=1, max_size=9), st.integers(1, 3)), min_size=1))
def test_a_tree_has_no_more_of_anything_than_its_sequences_alone(drawn: list[tuple[list[int], int]]) -> None:
    cases = [Encoded(prompt, [7] * length) for prompt, length in drawn]
    tree, alone = (tree_workload(cases, share=share) for share in (True, False))
    assert tree.seen == alone.seen == alone.tokens
    assert tree.tokens <= alone.tokens
    lengths = [len(c.prompt + c.answer) for c in cases]
    assert tree.attention_pairs <= alone.attention_pairs == sum(n * (n + 1) / 2 for n in lengths)
    assert tree.rows <= alone.rows == sum(len(case.answer) for case in cases)
