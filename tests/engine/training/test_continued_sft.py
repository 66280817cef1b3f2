"""SFT continued for a given amount of computing: whole steps, the last one looked at, the best look kept."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from preceptor.engine import Cost, Numerics, SFTSettings, Stage, run_sft, sft_steps_worth
from preceptor.engine.training.sft import validation_loss
from preceptor.engine.tree.batches import endless_schedule, schedule
from preceptor.models import Encoded, Policy

MakePolicy = Callable[..., Policy]

STOP = 2
SETTINGS = SFTSettings(learning_rate=3e-3, epochs=2, batch_size=4, warmup_steps=0, looks_per_epoch=1)
NUMERICS = Numerics(threads=1)


def case(number: int, answer: int) -> Encoded:
    return Encoded([*range(100, 120), 200 + number, 300], [answer] * (1 + number % 3) + [STOP])


TRAIN = [case(number, 10 + number % 2) for number in range(12)]
VALIDATION = [case(number, 10 + number % 2) for number in range(12, 18)]


def more(policy: Policy, folder: Path, flops: float, **changed: Any) -> Stage:
    arguments: dict[str, Any] = {"train": TRAIN, "validation": VALIDATION, "settings": SETTINGS, "seed": 3}
    return run_sft(policy, numerics=NUMERICS, folder=folder, flops=flops, **(arguments | changed))


def one_step(make_policy: MakePolicy, folder: Path) -> float:
    """What the first step costs, without the looks before and behind it."""
    return more(make_policy(tuned=1), folder, 1.0).cost.training_flops


@pytest.mark.parametrize("steps", [1, 2, 5, 8])
def test_it_takes_as_many_steps_as_the_budget_pays_for_and_looks_at_the_last(
    make_policy: MakePolicy, tmp_path: Path, steps: int
) -> None:
    budget = one_step(make_policy, tmp_path / "first") * (steps - 0.5)
    policy = make_policy(tuned=1)
    planned = sft_steps_worth(budget, policy, TRAIN, SETTINGS, NUMERICS, seed=3)
    stage = more(policy, tmp_path / "more", budget)
    looked = [row["step"] for row in stage.history if "eval_loss" in row]
    look = Cost()
    validation_loss(policy.model, VALIDATION, NUMERICS, share=True, cost=look)
    assert stage.cost.optimizer_steps == planned
    assert abs(planned - steps) <= 1, "steps differ a little in length"
    assert looked[-1] == planned
    assert stage.cost.evaluation_flops == pytest.approx(len(looked) * look.flops)
    spent = stage.cost.training_flops
    assert max(row["learning_rate"] for row in stage.history if "loss" in row) == SETTINGS.learning_rate / 2
    assert budget <= spent * (1 + 1e-12)
    assert spent < budget + 1.5 * budget / (steps - 0.5), "one step over at most"


def test_the_best_look_is_kept_and_bad_looks_stop_nothing(make_policy: MakePolicy, tmp_path: Path) -> None:
    contrary = [Encoded(one.prompt, [50, 51]) for one in VALIDATION]  # what training teaches, these never hold
    budget = one_step(make_policy, tmp_path / "first") * 9
    policy = make_policy(tuned=1)
    settings = SETTINGS.model_copy(update={"looks_per_epoch": 3, "patience": 1})
    stage = more(policy, tmp_path / "more", budget, validation=contrary, settings=settings)
    looks = [row["eval_loss"] for row in stage.history if "eval_loss" in row]
    assert len(looks) == 1 + stage.cost.optimizer_steps
    assert looks.index(min(looks)) < len(looks) - 1 - settings.patience, "the looks must get worse to show anything"
    assert stage.kept_step == looks.index(min(looks))
    found = validation_loss(policy.model, contrary, NUMERICS, share=True, cost=Cost())
    assert found == pytest.approx(min(looks), abs=1e-6)


def test_killed_it_ends_with_the_same_weights(
    make_policy: MakePolicy,
    tmp_path: Path,
    weights: Callable[[Policy], dict[str, torch.Tensor]],
    cut_after: Any,
    killed: type[Exception],
) -> None:
    budget = one_step(make_policy, tmp_path / "first") * 7
    alone = make_policy(tuned=1)
    stage = more(alone, tmp_path / "alone", budget)
    with pytest.raises(killed):
        more(make_policy(tuned=1), tmp_path / "cut", budget, advance=cut_after(5))
    again = make_policy(tuned=1)
    resumed = more(again, tmp_path / "cut", budget)
    assert resumed.cost.flops == stage.cost.flops
    assert all(torch.equal(weights(alone)[name], weight) for name, weight in weights(again).items())


@given(st.integers(1, 30), st.integers(1, 8), st.integers(1, 4), st.integers(0, 9))
def test_training_goes_on_where_the_order_of_the_first_stage_ended(
    count: int, size: int, epochs: int, seed: int
) -> None:
    endless = endless_schedule(count, size, seed)
    assert schedule(count, size, epochs, seed) == [next(endless) for _ in schedule(count, size, epochs, seed)]
    following = [index for _ in range(-(-count // size)) for index in next(endless)]
    assert sorted(following) == list(range(count))
