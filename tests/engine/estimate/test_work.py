"""How much work a stage will be is what its cost ledger says afterwards."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from preceptor.engine import (
    Cost,
    DPOSettings,
    EncodedPair,
    Forward,
    Numerics,
    SFTSettings,
    TrainSettings,
    Work,
    answer_logprobs,
    flops_of,
    generate,
    run_dpo,
    run_sft,
    schedule,
    score_answers,
    times,
    train,
    training_work,
    tree_work,
    writing_work,
)
from preceptor.engine.cost import forward_flops
from preceptor.engine.training.flops_budget import _tree_flops as tree_flops
from preceptor.models import (
    HEAD,
    AdapterSettings,
    Encoded,
    Policy,
    SlotSettings,
    heads_of,
    new_policy,
    start_policy,
)

NUMERICS = Numerics(threads=1, tokens_per_tree=64)
TRAIN = [Encoded([1, 2, *range(3, 8 + n % 5)], [9 + n, 2]) for n in range(13)]
VALIDATION = [Encoded([1, 2, 30 + n], [9, 2]) for n in range(5)]
PAIRS = [EncodedPair([1, 2, 40 + n, 7], [9, 10, 2], [11, 2]) for n in range(7)]


@pytest.fixture
def policy(tiny_source: Any) -> Policy:
    """The tiny model with a new adapter."""
    return new_policy(tiny_source, AdapterSettings(rank=4), seed=0, dtype=NUMERICS.torch_dtype)


def total(work: Work, name: str) -> float:
    """Of all units."""
    return sum(unit.repeats * getattr(unit, name) for unit in work)


def test_sft(policy: Policy, tmp_path: Path) -> None:
    settings = SFTSettings(epochs=2, batch_size=4, looks_per_epoch=2, patience=99)
    cost = run_sft(policy, TRAIN, VALIDATION, settings, NUMERICS, tmp_path, seed=3).cost
    train, validation = ([[case] for case in part] for part in (TRAIN, VALIDATION))
    work = training_work(train, validation, settings, NUMERICS.tokens_per_tree, share=True)
    assert total(work, "seen") == cost.tokens_seen
    assert sum(unit.repeats for unit in work if unit.kind == "save") == 4  # eight steps, and a look after every second
    assert total(work, "tokens") == pytest.approx(cost.tokens_computed, rel=0.1)  # who shares a tree is up to chance
    assert flops_of(work, policy.model) == pytest.approx(cost.flops, rel=0.1)


def test_a_head_on_an_encoder(encoder_source: Any, tmp_path: Path) -> None:
    slots = {"head": SlotSettings(type=HEAD, outputs=3)}
    policy = start_policy(encoder_source, None, slots, ["head"], seed=0, dtype=NUMERICS.torch_dtype)
    train_cases, validation = ([one.prompt for one in part] for part in (TRAIN, VALIDATION))
    settings = TrainSettings(epochs=2, batch_size=4, looks_per_epoch=2)

    def loss(forward: Forward, some: Sequence[list[int]], batch: Any) -> tuple[Tensor, dict[str, float]]:
        head = heads_of(forward.model)["head"]
        return head(forward.states(some, head)).square().mean(), {}

    order = schedule(len(train_cases), 4, 2, 3)
    batches = [[train_cases[i] for i in step] for step in order]
    arguments: dict[str, Any] = {"seed": 3, "sequences_of": lambda one: [one]}
    cost = train(policy, batches, loss, validation, settings, NUMERICS, tmp_path, **arguments).cost
    as_groups = ([[Encoded(one, [])] for one in part] for part in (train_cases, validation))
    work = training_work(*as_groups, settings, NUMERICS.tokens_per_tree, share=False, padded=True)
    assert total(work, "seen") == cost.tokens_seen
    assert total(work, "tokens") == pytest.approx(cost.tokens_computed, rel=0.1)  # who shares a batch is up to chance
    assert total(work, "cases") == 13 * 2 + 5 * 4
    assert flops_of(work, policy.model) == pytest.approx(cost.flops, rel=0.1)
    held_out = tree_work("score", [[Encoded(one, [])] for one in validation], 64, share=False, padded=True)
    assert flops_of(held_out, policy.model) == forward_flops(policy.model, 5 * 3, 0, head_rows=5)


def test_a_head_that_reads_chunks(encoder_source: Any, tmp_path: Path) -> None:
    slots = {"head": SlotSettings(type=HEAD, outputs=3, chunk_length=16, chunk_overlap=3)}
    policy = start_policy(encoder_source, None, slots, ["head"], seed=0, dtype=NUMERICS.torch_dtype)
    pieces = heads_of(policy.model)["head"].pieces
    cases = [[2, *range(5, 20 + 7 * n), 3] for n in range(7)]

    def loss(forward: Forward, some: Sequence[list[int]], batch: Any) -> tuple[Tensor, dict[str, float]]:
        head = heads_of(forward.model)["head"]
        return head(forward.states(some, head)).square().mean(), {}

    settings = TrainSettings(epochs=1, batch_size=1, looks_per_epoch=1)
    batches = [[cases[i]] for (i,) in schedule(len(cases), 1, 1, 3)]
    arguments: dict[str, Any] = {"seed": 3, "sequences_of": pieces}
    cost = train(policy, batches, loss, cases[:2], settings, NUMERICS, tmp_path, **arguments).cost
    as_groups = ([[Encoded(piece, []) for piece in pieces(one)] for one in part] for part in (cases, cases[:2]))
    work = training_work(*as_groups, settings, NUMERICS.tokens_per_tree, share=False, padded=True)
    assert (total(work, "seen"), total(work, "tokens")) == (cost.tokens_seen, cost.tokens_computed)
    assert total(work, "cases") == 7 + 2
    assert flops_of(work, policy.model) == pytest.approx(cost.flops)


def test_dpo(policy: Policy, tmp_path: Path) -> None:
    settings = DPOSettings(batch_size=3, epochs=1)
    cost = run_dpo(policy, PAIRS[:5], PAIRS[5:], settings, NUMERICS, tmp_path, seed=3).cost
    train, validation = ([pair.sequences() for pair in part] for part in (PAIRS[:5], PAIRS[5:]))
    steps = training_work(train, validation, settings, NUMERICS.tokens_per_tree, share=True, start=True)
    # The reference: the trees of every step, and those held out, forward.
    reference = [unit._replace(kind="score") for unit in steps if unit.kind == "train"]
    work = steps + reference + tree_work("score", validation, NUMERICS.tokens_per_tree, share=True)
    assert total(work, "seen") == cost.tokens_seen
    assert total(work, "tokens") == pytest.approx(cost.tokens_computed, rel=0.1)
    assert flops_of(work, policy.model) == pytest.approx(cost.flops, rel=0.1)
    looks = [unit for unit in work if unit.look]
    assert flops_of(looks, policy.model) == pytest.approx(cost.evaluation_flops, rel=0.1)


def test_scoring(policy: Policy) -> None:
    prompts, labels = [case.prompt for case in TRAIN], [[9, 2], [10, 11, 2]]
    _, cost = score_answers(policy, prompts, [labels] * len(prompts), NUMERICS)
    groups = [[Encoded(prompt, label) for label in labels] for prompt in prompts]
    work = tree_work("score", groups, NUMERICS.tokens_per_tree, share=True)
    assert (total(work, "seen"), total(work, "tokens")) == (cost.tokens_seen, cost.tokens_computed)
    assert flops_of(work, policy.model) == pytest.approx(cost.flops)


def test_writing(policy: Policy) -> None:
    prompts = [case.prompt for case in TRAIN]
    cost = generate(policy, prompts, max_new_tokens=5, stop=frozenset(), rows=4, on_batch=lambda *_: None)
    work = writing_work(prompts, [6] * len(prompts), 5, share=True, rows=4)
    assert (total(work, "seen"), total(work, "tokens")) == (cost.tokens_seen, cost.tokens_computed)
    assert flops_of(work, policy.model) == pytest.approx(cost.flops)
    # Four batches, and the first token comes with the reading.
    assert sum(unit.repeats for unit in work if unit.kind == "write") == 4 * 4


@pytest.mark.parametrize(
    "slot",
    [
        SlotSettings(type="PROMPT_TUNING", num_virtual_tokens=4),
        SlotSettings(type="P_TUNING", num_virtual_tokens=4, encoder_hidden_size=8),
        SlotSettings(type="PREFIX_TUNING", num_virtual_tokens=4, prefix_projection=True, encoder_hidden_size=8),
    ],
    ids=lambda slot: slot.type,
)
def test_vectors_in_front_are_counted(slot: SlotSettings, tiny_source: Any, tmp_path: Path) -> None:
    policy = start_policy(tiny_source, None, {"soft": slot}, ["soft"], seed=0, dtype=NUMERICS.torch_dtype)
    prompts, labels = [case.prompt for case in TRAIN], [[9, 2], [10, 11, 2]]
    groups = [[Encoded(prompt, label) for label in labels] for prompt in prompts]
    for share in (True, False):
        policy.shares_prefixes = share
        _, cost = score_answers(policy, prompts, [labels] * len(prompts), NUMERICS)
        work = tree_work("score", groups, NUMERICS.tokens_per_tree, share=share)
        assert flops_of(work, policy.model) == pytest.approx(cost.flops)
        assert flops_of([one._replace(fronts=0) for one in work], policy.model) < cost.flops
        cost = Cost()
        answer_logprobs(policy.model, TRAIN, share=share, cost=cost)
        assert tree_flops(policy.model, TRAIN, share=share) == pytest.approx(cost.flops)  # by which SFT goes on
        cost = generate(policy, prompts, max_new_tokens=5, stop=frozenset(), rows=4, on_batch=lambda *_: None)
        work = writing_work(prompts, [6] * len(prompts), 5, share=share, rows=4)
        assert flops_of(work, policy.model) == pytest.approx(cost.flops)
    policy.shares_prefixes = True
    settings = SFTSettings(epochs=1, batch_size=13, patience=99)
    spent = run_sft(policy, TRAIN, VALIDATION, settings, NUMERICS, tmp_path, seed=3).cost
    train, validation = ([[case] for case in part] for part in (TRAIN, VALIDATION))
    work = training_work(train, validation, settings, NUMERICS.tokens_per_tree, share=True)
    assert flops_of(work, policy.model) == pytest.approx(spent.flops)


def test_answers_leave_a_batch_when_they_end() -> None:
    work = writing_work([[1, 2], [1, 3], [1, 4]], [1, 3, 9], 5, share=True)
    assert [(unit.repeats, unit.tokens) for unit in work if unit.kind == "write"] == [(2, 2), (2, 1)]
    assert [(unit.tokens, unit.seen) for unit in work if unit.kind == "read"] == [(4, 6)]


@given(st.lists(st.tuples(st.lists(st.integers(0, 3), min_size=1, max_size=9), st.integers(1, 3)), min_size=1))
def test_a_tree_has_no_more_of_anything_than_its_sequences_alone(drawn: list[tuple[list[int], int]]) -> None:
    cases = [Encoded(prompt, [7] * length) for prompt, length in drawn]
    tree, alone = (tree_work("score", [cases], 10**6, share=share) for share in (True, False))
    assert len(tree) == 1
    assert total(tree, "seen") == total(alone, "seen") == total(alone, "tokens")
    assert total(tree, "tokens") <= total(alone, "tokens")
    assert total(tree, "rows") <= total(alone, "rows") == sum(len(case.answer) for case in cases)
    assert times(tree, 3) == [unit._replace(repeats=3) for unit in tree]
