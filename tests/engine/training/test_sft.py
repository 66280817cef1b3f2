from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from preceptor.engine import Cost, Numerics, SFTSettings, Stage, answer_logprobs, run_sft, sft_steps
from preceptor.engine.training.sft import validation_loss
from preceptor.errors import InputError
from preceptor.models import Encoded, Policy

Weights = Callable[[Policy], dict[str, torch.Tensor]]

STOP = 2
INSTRUCTION = list(range(100, 120))


def case(number: int, answer: int) -> Encoded:
    """Cases begin alike, differ in one token, and some have longer answers than others."""
    return Encoded([*INSTRUCTION, 200 + number, 300], [answer] * (1 + number % 3) + [STOP])


TRAIN = [case(number, 10 + number % 2) for number in range(12)]
VALIDATION = [case(number, 10 + number % 2) for number in range(12, 18)]
CONTRARY = [case(number, 11 - number % 2) for number in range(12, 18)]  # the better we learn, the worse these get
SETTINGS = SFTSettings(learning_rate=3e-3, epochs=3, batch_size=4, warmup_steps=0, looks_per_epoch=1)


def run(policy: Policy, folder: Path, settings: SFTSettings = SETTINGS, **changed: Any) -> Stage:
    arguments: dict[str, Any] = {"train": TRAIN, "validation": VALIDATION, "numerics": Numerics(threads=1), "seed": 3}
    return run_sft(policy, settings=settings, folder=folder, **(arguments | changed))


def looks(stage: Stage) -> list[float]:
    return [row["eval_loss"] for row in stage.history if "eval_loss" in row]


def losses(stage: Stage) -> list[float]:
    return [row["loss"] for row in stage.history if "loss" in row]


def assert_same(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> None:
    assert a.keys() == b.keys()
    assert all(torch.equal(a[name], b[name]) for name in a)


Undisturbed = tuple[dict[str, torch.Tensor], Stage]


@pytest.fixture(scope="module")
def undisturbed(
    make_policy: Callable[..., Policy], weights: Weights, tmp_path_factory: pytest.TempPathFactory
) -> Undisturbed:
    policy = make_policy()
    stage = run(policy, tmp_path_factory.mktemp("whole"))
    return weights(policy), stage


@pytest.fixture(scope="module")
def undisturbed_whole_model(
    make_policy: Callable[..., Policy], weights: Weights, tmp_path_factory: pytest.TempPathFactory
) -> Undisturbed:
    policy = make_policy(None)
    stage = run(policy, tmp_path_factory.mktemp("whole"))
    return weights(policy), stage


def test_it_learns(make_policy: Callable[..., Policy], tmp_path: Path, weights: Weights, numerics: Numerics) -> None:
    policy = make_policy()
    backbone = {name: w.clone() for name, w in policy.model.named_parameters() if not w.requires_grad}
    before = validation_loss(policy.model, VALIDATION, numerics, share=True, cost=Cost())
    stage = run(policy, tmp_path)
    after = validation_loss(policy.model, VALIDATION, numerics, share=True, cost=Cost())
    assert after < before / 2
    assert losses(stage)[-1] < losses(stage)[0] / 2
    assert after == pytest.approx(min(looks(stage)), abs=1e-6)
    unchanged = dict(policy.model.named_parameters())
    assert all(torch.equal(unchanged[name], weight) for name, weight in backbone.items())


def test_the_ledger_says_what_it_cost(make_policy: Callable[..., Policy], tmp_path: Path) -> None:
    stage = run(make_policy(), tmp_path)
    seen = 3 * (sum(len(e.prompt + e.answer) for e in TRAIN) + sum(len(e.prompt + e.answer) for e in VALIDATION))
    assert stage.cost.optimizer_steps == sft_steps(len(TRAIN), SETTINGS) == len(losses(stage)) == 9
    assert stage.cost.tokens_seen == seen
    assert 0 < stage.cost.tokens_computed < seen / 2  # the instruction stands once a tree
    assert min(stage.cost.seconds, stage.cost.flops, stage.cost.peak_memory_bytes) > 0


def test_only_answer_tokens_count_and_each_counts_alike(make_policy: Callable[..., Policy], tmp_path: Path) -> None:
    with torch.no_grad():
        expected = -torch.cat(answer_logprobs(make_policy().model, TRAIN, share=False)).mean()
    stage = run(make_policy(), tmp_path, SETTINGS.model_copy(update={"batch_size": len(TRAIN)}))
    assert losses(stage)[0] == pytest.approx(float(expected), rel=1e-5)


def test_the_validation_loss_is_the_mean_over_answer_tokens(
    make_policy: Callable[..., Policy], numerics: Numerics
) -> None:
    policy = make_policy()
    with torch.no_grad():
        expected = -torch.cat(answer_logprobs(policy.model, VALIDATION, share=False)).mean()
    found = validation_loss(policy.model, VALIDATION, numerics, share=True, cost=Cost())
    assert found == pytest.approx(float(expected), rel=1e-5)


def test_it_stops_when_validation_stops_improving_and_ends_with_the_best_look(
    make_policy: Callable[..., Policy], tmp_path: Path, numerics: Numerics
) -> None:
    policy = make_policy()
    settings = SETTINGS.model_copy(update={"epochs": 30, "looks_per_epoch": 3, "patience": 2})
    stage = run(policy, tmp_path, settings, validation=CONTRARY)
    seen = looks(stage)
    best = seen.index(min(seen))
    assert len(seen) == best + 1 + settings.patience
    assert stage.cost.optimizer_steps == len(seen) < sft_steps(len(TRAIN), settings)
    final = validation_loss(policy.model, CONTRARY, numerics, share=True, cost=Cost())
    assert final == pytest.approx(seen[best], abs=1e-6)
    assert seen[best] < seen[-1]


def test_patience_counts_from_the_weights_a_trained_policy_starts_with(
    make_policy: Callable[..., Policy], tmp_path: Path, weights: Weights
) -> None:
    policy = make_policy()
    run(policy, tmp_path / "first", SETTINGS.model_copy(update={"epochs": 8}), validation=VALIDATION)
    before = {name: weight.clone() for name, weight in weights(policy).items()}
    settings = SETTINGS.model_copy(update={"epochs": 30, "looks_per_epoch": 3, "patience": 2})
    stage = run(policy, tmp_path / "second", settings, train=CONTRARY, validation=VALIDATION, goes_on=True)
    assert [row["step"] for row in stage.history if "eval_loss" in row] == [0, 1, 2]
    assert (stage.kept_step, stage.cost.optimizer_steps) == (0, 2)
    assert_same(weights(policy), before)


def last_step(losses: list[float], patience: int, min_steps: int) -> int:
    """Behind which a stage stops that looks at every step."""
    best, bad = float("inf"), 0
    for step, loss in enumerate(losses, start=1):
        bad = 0 if loss < best else bad + (step >= min_steps)
        best = min(best, loss)
        if bad == patience:
            return step
    return len(losses)


def test_before_min_steps_no_look_counts_against_patience(make_policy: Callable[..., Policy], tmp_path: Path) -> None:
    changes = {"epochs": 30, "looks_per_epoch": 3, "patience": 2}
    stopped = {}
    for floor in (0, 26):
        settings = SETTINGS.model_copy(update=changes | {"min_steps": floor})
        stopped[floor] = run(make_policy(), tmp_path / str(floor), settings, validation=CONTRARY)
    losses = looks(stopped[26])
    assert last_step(losses, 2, 0) < 24, "nothing would have stopped it before"
    for floor, stage in stopped.items():
        assert stage.cost.optimizer_steps == last_step(losses, 2, floor)


def test_patience_of_a_resumed_stage_is_what_it_was(
    make_policy: Callable[..., Policy], tmp_path: Path, cut_after: Any, killed: type[Exception]
) -> None:
    settings = SETTINGS.model_copy(update={"epochs": 30, "looks_per_epoch": 3, "patience": 4, "min_steps": 3})
    whole = run(make_policy(), tmp_path / "whole", settings, validation=CONTRARY)
    with pytest.raises(killed):
        run(
            make_policy(),
            tmp_path / "cut",
            settings,
            validation=CONTRARY,
            advance=cut_after(whole.cost.optimizer_steps - 1),
        )
    again = run(make_policy(), tmp_path / "cut", settings, validation=CONTRARY)
    assert looks(again) == looks(whole)
    assert again.kept_step == whole.kept_step


def test_what_begins_has_no_step_0(make_policy: Callable[..., Policy], undisturbed: Undisturbed) -> None:
    assert min(row["step"] for row in undisturbed[1].history) == 1


def test_the_last_steps_are_looked_at_too(make_policy: Callable[..., Policy], tmp_path: Path) -> None:
    # Five steps with a look every second one: the fifth step has a look of its own.
    settings = SETTINGS.model_copy(update={"epochs": 1, "batch_size": 3, "looks_per_epoch": 2})
    assert len(looks(run(make_policy(), tmp_path, settings, train=TRAIN + TRAIN[:2]))) == 3


def test_how_a_step_is_split_into_trees_does_not_matter(
    make_policy: Callable[..., Policy], tmp_path: Path, weights: Weights
) -> None:
    policies, costs = [], []
    for tokens in (64, 4096):
        policy = make_policy(tuned=1)
        settings = SETTINGS.model_copy(update={"batch_size": 12})
        numerics = Numerics(threads=1, tokens_per_tree=tokens)
        costs.append(run(policy, tmp_path / str(tokens), settings, numerics=numerics).cost)
        policies.append(weights(policy))
    assert costs[0].tokens_computed > costs[1].tokens_computed, "both runs had the same trees"
    for name, weight in policies[0].items():
        torch.testing.assert_close(weight, policies[1][name], atol=1e-5, rtol=0)


def test_every_weight_can_be_tuned(
    make_policy: Callable[..., Policy], tmp_path: Path, weights: Weights, numerics: Numerics
) -> None:
    policy = make_policy(None)
    stage = run(policy, tmp_path, SETTINGS.model_copy(update={"learning_rate": 1e-3}))
    assert losses(stage)[-1] < losses(stage)[0] / 2
    final = validation_loss(policy.model, VALIDATION, numerics, share=True, cost=Cost())
    assert final == pytest.approx(min(looks(stage)), abs=1e-6)
    assert not any(torch.equal(w, weights(make_policy(None))[name]) for name, w in weights(policy).items())


def test_the_seed_decides(
    make_policy: Callable[..., Policy], tmp_path: Path, weights: Weights, undisturbed: Undisturbed
) -> None:
    again, other = make_policy(), make_policy()
    run(again, tmp_path / "1")
    run(other, tmp_path / "2", seed=4)
    assert_same(weights(again), undisturbed[0])
    assert any(not torch.equal(weight, undisturbed[0][name]) for name, weight in weights(other).items())


def test_a_run_that_comes_apart_says_so_and_keeps_nothing(make_policy: Callable[..., Policy], tmp_path: Path) -> None:
    settings = SETTINGS.model_copy(update={"learning_rate": 1e36, "looks_per_epoch": 3})
    with pytest.raises(InputError, match=r"optimizer step 1: .* Lower learning_rate \(it is 1e\+36\)"):
        run(make_policy(), tmp_path, settings)
    assert list(tmp_path.glob("checkpoint-*")) == [], "the validation loss of the first look is no number either"


@pytest.mark.parametrize("after", [1, 3, 5, 9])
def test_cut_off_in_a_step_it_goes_on_to_the_same_weights(
    after: int,
    make_policy: Callable[..., Policy],
    tmp_path: Path,
    weights: Weights,
    undisturbed: Undisturbed,
    cut_after: Any,
    killed: type[Exception],
) -> None:
    with pytest.raises(killed):
        run(make_policy(), tmp_path, advance=cut_after(after))
    resumed = make_policy()
    done: list[int] = []
    stage = run(resumed, tmp_path, advance=done.append)
    expected, whole = undisturbed
    assert_same(weights(resumed), expected)
    assert losses(stage) == losses(whole)
    assert looks(stage) == looks(whole)
    assert done[0] == (after - 1) // 3 * 3, "it begins behind the last whole checkpoint"
    assert sum(done) == 9
    for name in ("optimizer_steps", "tokens_seen", "tokens_computed", "flops"):
        assert getattr(stage.cost, name) == getattr(whole.cost, name)


def test_a_whole_model_that_was_cut_off_goes_on_to_the_same_weights(
    make_policy: Callable[..., Policy],
    tmp_path: Path,
    weights: Weights,
    undisturbed_whole_model: Undisturbed,
    cut_after: Any,
    killed: type[Exception],
) -> None:
    with pytest.raises(killed):
        run(make_policy(None), tmp_path, advance=cut_after(5))
    resumed = make_policy(None)
    run(resumed, tmp_path)
    assert_same(weights(resumed), undisturbed_whole_model[0])


@pytest.mark.parametrize("nth", [1, 2])
def test_cut_off_while_saving_it_goes_on_to_the_same_weights(
    nth: int,
    cut_while_saving: Callable[[int], None],
    make_policy: Callable[..., Policy],
    tmp_path: Path,
    weights: Weights,
    undisturbed: Undisturbed,
    killed: type[Exception],
) -> None:
    cut_while_saving(nth)
    with pytest.raises(killed):
        run(make_policy(), tmp_path)
    assert list(tmp_path.glob(".aside/checkpoint-*")), "nothing was being saved"
    resumed = make_policy()
    run(resumed, tmp_path)
    assert_same(weights(resumed), undisturbed[0])
    assert not list(tmp_path.glob(".aside/*")), "what was half written is still there"


@pytest.mark.parametrize("early", [False, True])
def test_cut_off_after_the_last_checkpoint_nothing_more_is_trained(
    early: bool, make_policy: Callable[..., Policy], tmp_path: Path, weights: Weights
) -> None:
    first, again = make_policy(), make_policy()
    settings = SETTINGS.model_copy(update={"epochs": 8, "looks_per_epoch": 3, "patience": 1}) if early else SETTINGS
    validation = CONTRARY if early else VALIDATION
    whole = run(first, tmp_path / "here", settings, validation=validation)
    assert (whole.cost.optimizer_steps < sft_steps(len(TRAIN), settings)) == early
    (tmp_path / "here").rename(tmp_path / "there")  # nor does it matter where the run folder stands
    done: list[int] = []
    stage = run(again, tmp_path / "there", settings, validation=validation, advance=done.append)
    assert_same(weights(again), weights(first))
    assert done == [whole.cost.optimizer_steps] == [stage.cost.optimizer_steps]
    assert looks(stage) == looks(whole)


def test_a_moved_run_folder_goes_on(
    make_policy: Callable[..., Policy],
    tmp_path: Path,
    weights: Weights,
    undisturbed: Undisturbed,
    cut_after: Any,
    killed: type[Exception],
) -> None:
    with pytest.raises(killed):
        run(make_policy(), tmp_path / "here", advance=cut_after(5))
    (tmp_path / "here").rename(tmp_path / "there")
    resumed = make_policy()
    run(resumed, tmp_path / "there")
    assert_same(weights(resumed), undisturbed[0])


def test_weights_whose_validation_loss_is_no_number_reach_no_checkpoint(
    make_policy: Callable[..., Policy], tmp_path: Path
) -> None:
    """The loss of a step is that of the weights before it: the look behind it is the first to meet those after it."""
    diverging = SETTINGS.model_copy(update={"learning_rate": 1e30, "looks_per_epoch": 3})
    for _ in range(2):
        with pytest.raises(InputError, match=r"optimizer step 1: the loss or its gradient is no longer a number"):
            run(make_policy(), tmp_path, diverging)
        assert list(tmp_path.glob("checkpoint-*")) == [], "the same command would go on from there"
