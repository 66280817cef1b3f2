"""A loss of one's own is a page: units, their sequences, a function. The rest is `train`."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from preceptor.engine import (
    EncodedPair,
    Forward,
    Numerics,
    SFTSettings,
    Stage,
    TrainSettings,
    answer_logprobs,
    run_sft,
    schedule,
    train,
)
from preceptor.engine.training.arguments import warmup
from preceptor.models import Encoded, Policy

STOP = 2
INSTRUCTION = list(range(100, 120))
PAIRS = [
    EncodedPair([*INSTRUCTION, 200 + n, 300], [10 + n % 2] * (1 + n % 2) + [STOP], [11 - n % 2] * (1 + n % 3) + [STOP])
    for n in range(16)
]
LEARNED, HELD_OUT = PAIRS[:12], PAIRS[12:]
SETTINGS = TrainSettings(learning_rate=3e-3, epochs=3, batch_size=4, warmup_steps=0)


def likelihood(
    forward: Forward, tree: Sequence[EncodedPair], batch: Sequence[EncodedPair]
) -> tuple[Tensor, dict[str, float]]:
    """Mean negative log-likelihood of a batch's chosen tokens; logs how many of its rejected answers are likelier."""
    logprobs = forward.answer_logprobs([one for pair in tree for one in pair.sequences()])
    chosen, rejected = logprobs[0::2], logprobs[1::2]
    wrong = sum(bool(r.detach().sum() > c.detach().sum()) for c, r in zip(chosen, rejected, strict=True))
    return -torch.cat(chosen).sum() / sum(len(pair.chosen) for pair in batch), {"wrong": wrong / len(batch)}


def token_ids(pair: EncodedPair) -> list[list[int]]:
    return [one.prompt + one.answer for one in pair.sequences()]


def run(policy: Policy, folder: Path, validation: Sequence[EncodedPair] = HELD_OUT, **changed: Any) -> Stage:
    order = schedule(len(LEARNED), SETTINGS.batch_size, SETTINGS.epochs, seed=3)
    batches = [[LEARNED[i] for i in indices] for indices in order]
    settings = {"numerics": Numerics(threads=1, tokens_per_tree=64), "seed": 3, "sequences_of": token_ids} | changed
    return train(policy, batches, likelihood, validation, SETTINGS, folder=folder, **settings)


def logged(stage: Stage, name: str) -> list[float]:
    return [row[name] for row in stage.history if name in row]


@torch.no_grad()
def loss_of(policy: Policy, pairs: Sequence[EncodedPair]) -> float:
    return -float(torch.cat(answer_logprobs(policy.model, [Encoded(p.prompt, p.chosen) for p in pairs])).mean())


def test_a_loss_of_ones_own_is_learned(make_policy: Callable[..., Policy], tmp_path: Path) -> None:
    policy = make_policy()
    before = loss_of(policy, HELD_OUT)
    stage = run(policy, tmp_path)
    assert loss_of(policy, HELD_OUT) == pytest.approx(min(logged(stage, "eval_loss")), abs=1e-5)
    assert loss_of(policy, HELD_OUT) < before / 2
    assert len(logged(stage, "loss")) == len(logged(stage, "wrong")) == stage.cost.optimizer_steps == 9
    assert logged(stage, "loss")[0] == pytest.approx(loss_of(make_policy(), LEARNED), rel=0.5)
    assert 0 < stage.cost.tokens_computed < stage.cost.tokens_seen, "what it computes is counted, prefixes once"


def test_killed_it_ends_with_the_same_weights(
    make_policy: Callable[..., Policy], weights: Any, cut_after: Any, killed: type[Exception], tmp_path: Path
) -> None:
    whole, again = make_policy(), make_policy()
    stage = run(whole, tmp_path / "whole")
    with pytest.raises(killed):
        run(make_policy(), tmp_path / "cut", advance=cut_after(5))
    resumed = run(again, tmp_path / "cut")
    assert all(torch.equal(weights(whole)[name], weight) for name, weight in weights(again).items())
    assert [logged(resumed, name) for name in ("loss", "eval_loss", "wrong")] == [
        logged(stage, name) for name in ("loss", "eval_loss", "wrong")
    ]
    assert resumed.cost.flops == stage.cost.flops


def test_without_validation_it_ends_with_the_last_weights(make_policy: Callable[..., Policy], tmp_path: Path) -> None:
    policy = make_policy()
    stage = run(policy, tmp_path, validation=[])
    assert not logged(stage, "eval_loss")
    assert loss_of(policy, LEARNED) < logged(stage, "loss")[0] / 2


def test_the_loss_of_sft_written_by_hand_is_sft(
    make_policy: Callable[..., Policy], weights: Any, numerics: Numerics, tmp_path: Path
) -> None:
    def sft(forward: Forward, tree: Sequence[Encoded], batch: Sequence[Encoded]) -> tuple[Tensor, dict[str, float]]:
        return -torch.cat(forward.answer_logprobs(tree)).sum() / sum(len(one.answer) for one in batch), {}

    def ids(one: Encoded) -> list[list[int]]:
        return [one.prompt + one.answer]

    learned, held_out = ([Encoded(p.prompt, p.chosen) for p in some] for some in (LEARNED, HELD_OUT))
    settings = SFTSettings(**SETTINGS.model_dump())
    batches = [[learned[i] for i in indices] for indices in schedule(len(learned), 4, 3, seed=3)]
    by_hand, by_name = make_policy(), make_policy()
    train(by_hand, batches, sft, held_out, settings, numerics, tmp_path / "hand", seed=3, sequences_of=ids)
    run_sft(by_name, learned, held_out, settings, numerics, tmp_path / "name", seed=3)
    assert all(torch.equal(weights(by_name)[name], weight) for name, weight in weights(by_hand).items())


@pytest.mark.parametrize(
    ("asked", "steps", "expected"),
    [(0.1, 1, 0), (0.1, 2, 1), (0.9, 4, 3), (0.25, 9, 3), (0.06, 100, 6), (0, 4, 0), (5, 4, 5)],
)
def test_a_warm_up_of_a_share_leaves_a_step_that_learns(asked: float, steps: int, expected: int) -> None:
    assert warmup(asked, steps) == expected


@pytest.mark.parametrize("tokens_per_tree", [64, 1536])
def test_the_rate_falls_to_about_nothing_by_the_last_step_whatever_trees_a_batch_is_cut_into(
    make_policy: Callable[..., Policy], tmp_path: Path, tokens_per_tree: int
) -> None:
    """P1-4: the schedule counts optimizer steps. By trees, of which a batch has several, it would hardly fall."""
    order = [[pair] * 6 + LEARNED[:1] for pair in LEARNED] * 2  # two trees of 64 tokens at least
    settings = SETTINGS.model_copy(update={"warmup_steps": 2})
    numerics = Numerics(threads=1, tokens_per_tree=tokens_per_tree)
    stage = train(make_policy(), order, likelihood, [], settings, numerics, tmp_path, seed=3, sequences_of=token_ids)
    rates = logged(stage, "learning_rate")
    assert len(rates) == len(order) == 24
    assert max(rates) == rates[2] == pytest.approx(settings.learning_rate)
    assert rates[-1] == pytest.approx(settings.learning_rate / 22)


def test_a_share_of_the_steps_warms_up_as_the_number_it_comes_to(
    make_policy: Callable[..., Policy], numerics: Numerics, tmp_path: Path
) -> None:
    """P1-3: .06 passed on as a number of steps would be no warm-up at all."""
    rates = []
    for name, asked in (("share", 0.25), ("number", 3)):  # a quarter of nine steps, rounded up
        settings = SFTSettings(**SETTINGS.model_dump() | {"warmup_steps": asked, "patience": 9})
        cases = [Encoded(pair.prompt, pair.chosen) for pair in PAIRS]
        stage = run_sft(make_policy(), cases[:12], cases[12:], settings, numerics, tmp_path / name, seed=3)
        rates.append(logged(stage, "learning_rate"))
    assert rates[0] == rates[1]
    assert rates[0][:4] == pytest.approx([0, 1e-3, 2e-3, 3e-3])
