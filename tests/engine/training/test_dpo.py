import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from preceptor.engine import (
    DPOSettings,
    EncodedPair,
    Numerics,
    Stage,
    answer_logprobs,
    dpo_loss,
    dpo_steps,
    run_dpo,
)
from preceptor.engine.training.reference import reference_of_policy
from preceptor.engine.tree.batches import schedule
from preceptor.errors import InputError
from preceptor.models import Policy

Weights = Callable[[Policy], dict[str, torch.Tensor]]

STOP = 2
INSTRUCTION = list(range(100, 120))
PAIRS = [
    EncodedPair([*INSTRUCTION, 200 + n, 300], [10 + n % 2] * (1 + n % 2) + [STOP], [11 - n % 2] * (1 + n % 3) + [STOP])
    for n in range(12)
]
SETTINGS = DPOSettings(learning_rate=2e-3, epochs=2, batch_size=4, warmup_steps=0, looks_per_epoch=1)


def run(policy: Policy, folder: Path, settings: DPOSettings = SETTINGS, **changed: Any) -> Stage:
    arguments: dict[str, Any] = {"pairs": PAIRS, "validation": [], "numerics": Numerics(threads=1), "seed": 3}
    return run_dpo(policy, settings=settings, folder=folder, **(arguments | changed))


def logged(stage: Stage, name: str) -> list[float]:
    return [row[name] for row in stage.history if name in row]


@torch.no_grad()
def gaps(policy: Policy, pairs: list[EncodedPair] = PAIRS) -> torch.Tensor:
    """By how much each chosen answer is more likely than the rejected one, in nats."""
    policy.model.eval()
    sequences = [one for pair in pairs for one in pair.sequences()]
    sums = [float(one.sum()) for one in answer_logprobs(policy.model, sequences, share=False)]
    return torch.tensor(sums[0::2]) - torch.tensor(sums[1::2])


def assert_same(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> None:
    assert a.keys() == b.keys()
    assert all(torch.equal(a[name], b[name]) for name in a)


Undisturbed = tuple[dict[str, torch.Tensor], Stage]


@pytest.fixture(scope="module")
def undisturbed(
    make_policy: Callable[..., Policy], weights: Weights, tmp_path_factory: pytest.TempPathFactory
) -> Undisturbed:
    policy = make_policy(tuned=1)
    stage = run(policy, tmp_path_factory.mktemp("whole"))
    return weights(policy), stage


@pytest.mark.parametrize("sft_weight", [0.0, 1.0])
def test_chosen_gains_on_rejected(sft_weight: float, make_policy: Callable[..., Policy], tmp_path: Path) -> None:
    policy = make_policy(tuned=1)
    before = gaps(policy)
    backbone = {name: w.clone() for name, w in policy.model.named_parameters() if not w.requires_grad}
    stage = run(policy, tmp_path, SETTINGS.model_copy(update={"sft_weight": sft_weight, "epochs": 8}))
    assert gaps(policy).mean() > before.mean() + 5
    assert stage.reference_accuracy == int((before > 0).sum()) / len(PAIRS)
    assert 0 < stage.reference_accuracy < 1
    assert sum(logged(stage, "rewards/accuracies")[-3:]) / 3 > 0.6  # the last epoch
    assert logged(stage, "rewards/margins")[-1] > 0.05
    unchanged = dict(policy.model.named_parameters())
    assert all(torch.equal(unchanged[name], weight) for name, weight in backbone.items())


def test_the_first_step_starts_at_margin_0_and_ln_2(make_policy: Callable[..., Policy], tmp_path: Path) -> None:
    stage = run(make_policy(tuned=1), tmp_path, SETTINGS.model_copy(update={"sft_weight": 0.0}))
    assert logged(stage, "rewards/margins")[0] == pytest.approx(0, abs=1e-5)
    assert logged(stage, "loss")[0] == pytest.approx(math.log(2), abs=1e-5)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("tokens_per_tree", [64, 4096])
@pytest.mark.parametrize(
    "pairs",
    [
        [EncodedPair([*INSTRUCTION, 200 + n], [10], [11]) for n in range(8)],
        [EncodedPair([*INSTRUCTION, 200 + n], [10 + n] * 299 + [STOP], [20 + n] * 250 + [STOP]) for n in range(4)],
        [EncodedPair([*INSTRUCTION, 200 + n], [10, 11, STOP], [10, 11, STOP]) for n in range(8)],
    ],
    ids=["one token", "300 tokens", "identical likelihood"],
)
def test_before_the_first_step_the_margin_is_0_to_the_bit(
    pairs: list[EncodedPair], tokens_per_tree: int, dtype: Any, make_policy: Callable[..., Policy], tmp_path: Path
) -> None:
    numerics = Numerics(threads=1, dtype=dtype, tokens_per_tree=tokens_per_tree)
    policy = make_policy(tuned=1, dtype=numerics.torch_dtype)
    stage = run(policy, tmp_path, pairs=pairs, numerics=numerics)
    assert stage.first_margin == 0.0
    assert stage.reference_gap is None, "it was computed here, on these very trees"
    assert logged(stage, "rewards/margins")[0] == 0.0


def test_the_sft_term_is_the_mean_over_chosen_tokens(make_policy: Callable[..., Policy], tmp_path: Path) -> None:
    with torch.no_grad():
        chosen = answer_logprobs(make_policy(tuned=1).model, [pair.sequences()[0] for pair in PAIRS], share=False)
    settings = SETTINGS.model_copy(update={"sft_weight": 0.5, "batch_size": len(PAIRS)})
    expected = math.log(2) - 0.5 * float(torch.cat(chosen).mean())
    assert logged(run(make_policy(tuned=1), tmp_path, settings), "loss")[0] == pytest.approx(expected, rel=1e-5)


def test_the_cost_holds_the_reference_and_the_steps(make_policy: Callable[..., Policy], tmp_path: Path) -> None:
    file = tmp_path / "elsewhere.json"
    steps = schedule(len(PAIRS), SETTINGS.batch_size, 1, 3)
    reference = reference_of_policy(make_policy(), PAIRS, steps, Numerics(threads=1), file).cost
    cost = run(make_policy(), tmp_path / "run").cost
    assert cost.optimizer_steps == dpo_steps(len(PAIRS), SETTINGS) == 6
    assert cost.tokens_seen == 3 * reference.tokens_seen
    assert reference.tokens_computed < cost.tokens_computed < cost.tokens_seen / 2
    assert cost.flops > 3 * reference.flops
    assert cost.seconds > 0
    assert cost.peak_memory_bytes > 0


def test_a_backbone_with_dropout_is_still_its_own_reference(
    make_policy: Callable[..., Policy], tmp_path: Path, weights: Weights, undisturbed: Undisturbed
) -> None:
    policy = make_policy(tuned=1)
    for module in policy.model.modules():
        if hasattr(module, "attention_dropout"):
            module.attention_dropout = 0.5
    run(policy, tmp_path)
    assert_same(weights(policy), undisturbed[0])


def test_how_a_step_is_split_into_trees_does_not_matter(
    make_policy: Callable[..., Policy], tmp_path: Path, weights: Weights
) -> None:
    tuned, costs = [], []
    for tokens in (64, 4096):
        policy = make_policy(tuned=1)
        numerics = Numerics(threads=1, tokens_per_tree=tokens)
        settings = SETTINGS.model_copy(update={"batch_size": 12})
        costs.append(run(policy, tmp_path / str(tokens), settings, numerics=numerics).cost)
        tuned.append(weights(policy))
    assert costs[0].tokens_computed > costs[1].tokens_computed, "both runs had the same trees"
    for name, weight in tuned[0].items():
        torch.testing.assert_close(weight, tuned[1][name], atol=1e-5, rtol=0)


@pytest.mark.parametrize("after", [1, 4, 6])
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
        run(make_policy(tuned=1), tmp_path, advance=cut_after(after))
    kept = (tmp_path / "reference.json").stat().st_mtime_ns
    resumed = make_policy(tuned=1)
    done: list[int] = []
    stage = run(resumed, tmp_path, advance=done.append)
    expected, whole = undisturbed
    assert_same(weights(resumed), expected)
    assert (tmp_path / "reference.json").stat().st_mtime_ns == kept, "computed twice"
    assert done[0] == (after - 1) // 3 * 3
    for name in ("optimizer_steps", "tokens_seen", "tokens_computed", "flops"):
        assert getattr(stage.cost, name) == getattr(whole.cost, name)
    for name in ("loss", "rewards/margins", "rewards/accuracies"):
        assert logged(stage, name) == logged(whole, name)


UPSIDE_DOWN = [EncodedPair([*pair.prompt, 301], pair.rejected, pair.chosen) for pair in PAIRS[:6]]
"""Pairs that want the opposite: what is learned from PAIRS makes their loss worse from the first step on."""


def test_it_ends_with_the_weights_of_the_best_look(make_policy: Callable[..., Policy], tmp_path: Path) -> None:
    settings = SETTINGS.model_copy(update={"sft_weight": 0.0, "looks_per_epoch": 3})
    policy, last = make_policy(tuned=1), make_policy(tuned=1)
    stage = run(policy, tmp_path / "looked", settings, validation=UPSIDE_DOWN)
    run(last, tmp_path / "not", settings)
    looks = logged(stage, "eval_loss")
    assert len(looks) == 1 + 6
    assert looks[1] < looks[-1], "the last weights would do"
    reference = gaps(make_policy(tuned=1), UPSIDE_DOWN)
    losses = [dpo_loss(gaps(one, UPSIDE_DOWN) - reference, settings.beta).mean() for one in (policy, last)]
    assert float(losses[0]) == pytest.approx(min(looks), abs=1e-5)
    assert float(losses[1]) > min(looks) + 1e-3


@pytest.mark.parametrize("learning_rate", [2e-3, 0.5])
def test_the_weights_it_starts_from_are_kept_when_training_does_harm(
    learning_rate: float, make_policy: Callable[..., Policy], tmp_path: Path, weights: Weights
) -> None:
    policy = make_policy(tuned=1)
    changes = {"sft_weight": 0.0, "looks_per_epoch": 3, "learning_rate": learning_rate, "batch_size": 12, "epochs": 4}
    turned_round = [EncodedPair(pair.prompt, pair.rejected, pair.chosen) for pair in PAIRS]
    stage = run(policy, tmp_path, SETTINGS.model_copy(update=changes), validation=turned_round)
    looked = [(row["step"], row["eval_loss"]) for row in stage.history if "eval_loss" in row]
    assert looked[0] == min(looked, key=lambda one: one[1])
    assert [step for step, _ in looked] == [0, 1, 2, 3, 4]
    assert stage.kept_step == 0
    assert_same(weights(policy), weights(make_policy(tuned=1)))


@pytest.mark.parametrize("after", [1, 5])
def test_killed_behind_the_checkpoint_of_its_start_it_goes_on_to_the_same_weights(
    after: int, make_policy: Callable[..., Policy], tmp_path: Path, weights: Weights, cut_after: Any, killed: Any
) -> None:
    whole, again = make_policy(tuned=1), make_policy(tuned=1)
    stage = run(whole, tmp_path / "whole", validation=PAIRS)
    with pytest.raises(killed):
        run(make_policy(tuned=1), tmp_path / "cut", validation=PAIRS, advance=cut_after(after))
    assert [one.name for one in (tmp_path / "cut").glob("checkpoint-*")] == [f"checkpoint-{(after - 1) // 3 * 3}"]
    resumed = run(again, tmp_path / "cut", validation=PAIRS)
    assert_same(weights(again), weights(whole))
    assert stage.kept_step == resumed.kept_step == 6
    assert logged(resumed, "eval_loss") == logged(stage, "eval_loss")
    assert len(logged(stage, "eval_loss")) == 3
    assert (resumed.cost.flops, resumed.cost.tokens_seen) == (stage.cost.flops, stage.cost.tokens_seen)


@pytest.mark.parametrize("nth", [1, 2])
def test_the_checkpoint_of_its_start_is_whole_or_absent(
    nth: int,
    cut_while_saving: Callable[[int], None],
    make_policy: Callable[..., Policy],
    tmp_path: Path,
    weights: Weights,
    killed: type[Exception],
) -> None:
    whole, again = make_policy(tuned=1), make_policy(tuned=1)
    stage = run(whole, tmp_path / "whole", validation=PAIRS)
    cut_while_saving(nth)
    with pytest.raises(killed):
        run(make_policy(tuned=1), tmp_path / "cut", validation=PAIRS)
    assert len(list((tmp_path / "cut").glob("checkpoint-*"))) == nth - 1
    resumed = run(again, tmp_path / "cut", validation=PAIRS)
    assert_same(weights(again), weights(whole))
    assert logged(resumed, "eval_loss") == logged(stage, "eval_loss")


@torch.no_grad()
def sums(policy: Policy, pairs: list[EncodedPair]) -> tuple[torch.Tensor, torch.Tensor]:
    """Log-probabilities of the chosen and of the rejected answers, each of them computed alone."""
    sequences = [one for pair in pairs for one in pair.sequences()]
    every = torch.tensor([float(one.sum()) for one in answer_logprobs(policy.model, sequences, share=False)])
    return every[0::2], every[1::2]


@pytest.mark.parametrize("loss_type", ["sigmoid", "ipo"])
def test_every_figure_is_that_of_a_direct_computation(
    loss_type: Any, make_policy: Callable[..., Policy], tmp_path: Path
) -> None:
    policy, start = make_policy(tuned=1), make_policy(tuned=1)
    changes = {"sft_weight": 0.0, "metric_for_best_model": "loss", "loss_type": loss_type, "epochs": 4}
    stage = run(policy, tmp_path, SETTINGS.model_copy(update=changes), pairs=PAIRS[:8], validation=PAIRS[8:])
    assert stage.kept_step > 0
    first, last = (
        next(row for row in stage.history if "eval_loss" in row and row["step"] == step)
        for step in (0, stage.kept_step)
    )
    before, after = sums(start, PAIRS[8:]), sums(policy, PAIRS[8:])
    assert first["step"] == 0
    for row, (chosen, rejected) in ((first, before), (last, after)):
        of_chosen, of_rejected = SETTINGS.beta * (chosen - before[0]), SETTINGS.beta * (rejected - before[1])
        expected = {
            "rewards/chosen": of_chosen.mean(),
            "rewards/rejected": of_rejected.mean(),
            "rewards/margins": (of_chosen - of_rejected).mean(),
            "logps/chosen": chosen.mean(),
            "logps/rejected": rejected.mean(),
            "pair_accuracy": (chosen > rejected).float().mean(),
        }
        found = {name: row[f"eval_{name}"] for name in expected}
        assert found == pytest.approx({name: float(value) for name, value in expected.items()}, abs=1e-4)
    assert [first[f"eval_rewards/{name}"] for name in ("chosen", "rejected", "margins", "accuracies")] == [0] * 4
    assert last["eval_rewards/accuracies"] == float((after[0] - before[0] > after[1] - before[1]).float().mean())
    assert (stage.delivered["eval_pair_accuracy_at_start"], stage.delivered["eval_pair_accuracy"]) == (
        first["eval_pair_accuracy"],
        last["eval_pair_accuracy"],
    )


def test_every_step_tells_trls_figures(make_policy: Callable[..., Policy], tmp_path: Path) -> None:
    names = [f"{what}/{which}" for what in ("rewards", "logps") for which in ("chosen", "rejected")]
    settings = SETTINGS.model_copy(update={"batch_size": len(PAIRS), "epochs": 1})
    stage = run(make_policy(tuned=1), tmp_path, settings)
    chosen, rejected = sums(make_policy(tuned=1), PAIRS)
    (row,) = [row for row in stage.history if "loss" in row]
    assert [row[name] for name in names] == pytest.approx(
        [0, 0, float(chosen.mean()), float(rejected.mean())], rel=1e-5
    )
    assert "pair_accuracy" not in row


def test_of_looks_that_are_alike_the_earlier_is_kept(
    make_policy: Callable[..., Policy], tmp_path: Path, weights: Weights
) -> None:
    alike = [EncodedPair([*INSTRUCTION, 200 + n], [10, STOP], [10, STOP]) for n in range(4)]
    settings = SETTINGS.model_copy(update={"sft_weight": 0.0, "looks_per_epoch": 3})
    policy = make_policy(tuned=1)
    stage = run(policy, tmp_path, settings, validation=alike)
    assert len(set(logged(stage, "eval_loss"))) == 1
    assert stage.kept_step == 0
    assert_same(weights(policy), weights(make_policy(tuned=1)))


def test_looks_cost_and_change_nothing_in_training(make_policy: Callable[..., Policy], tmp_path: Path) -> None:
    without = run(make_policy(tuned=1), tmp_path / "without")
    with_looks = run(make_policy(tuned=1), tmp_path / "with", validation=UPSIDE_DOWN)
    for name in ("loss", "rewards/margins", "rewards/accuracies"):
        assert logged(with_looks, name) == pytest.approx(logged(without, name), abs=1e-5)
    assert with_looks.cost.flops > without.cost.flops


def test_the_last_step_is_looked_at(make_policy: Callable[..., Policy], tmp_path: Path) -> None:
    settings = SETTINGS.model_copy(update={"epochs": 1, "batch_size": 5, "looks_per_epoch": 2})
    stage = run(make_policy(tuned=1), tmp_path, settings, validation=UPSIDE_DOWN)
    assert [row["step"] for row in stage.history if "eval_loss" in row] == [0, 1, 2, 3]
    settings = settings.model_copy(update={"batch_size": 4, "epochs": 2})
    assert dpo_steps(len(PAIRS), settings) == 6
    stage = run(make_policy(tuned=1), tmp_path / "odd", settings, pairs=PAIRS[:11], validation=UPSIDE_DOWN)
    assert [row["step"] for row in stage.history if "eval_loss" in row][-1] == 6


def test_runs_that_differ_in_beta_share_a_reference(make_policy: Callable[..., Policy], tmp_path: Path) -> None:
    file = tmp_path / "shared.json"
    for beta in (0.1, 0.5):
        settings = SETTINGS.model_copy(update={"beta": beta})
        stage = run(make_policy(tuned=1), tmp_path / str(beta), settings, reference_file=file)
        written = file.stat().st_mtime_ns
        assert stage.cost.tokens_seen > 0
    assert file.stat().st_mtime_ns == written
    assert not (tmp_path / "0.5" / "reference.json").exists()


@pytest.mark.parametrize("loss_type", ["sigmoid", "robust", "ipo", "hinge"])
def test_every_loss_starts_where_its_formula_says(
    loss_type: Any, make_policy: Callable[..., Policy], tmp_path: Path
) -> None:
    smoothing = 0.1 if loss_type in ("sigmoid", "robust") else 0.0
    update = {"loss_type": loss_type, "label_smoothing": smoothing, "sft_weight": 0.0, "beta": 0.25}
    stage = run(make_policy(tuned=1), tmp_path, SETTINGS.model_copy(update=update))
    at_zero = {"sigmoid": math.log(2), "robust": math.log(2), "ipo": 4.0, "hinge": 1.0}[loss_type]
    assert logged(stage, "loss")[0] == pytest.approx(at_zero, abs=1e-4)
    assert logged(stage, "rewards/margins")[-1] > 0


@pytest.mark.parametrize(
    ("pair", "what"),
    [
        (EncodedPair([1, 2], [], [3]), "answer is empty"),
        (EncodedPair([], [1], [3]), "no prompt"),
        (EncodedPair([1] * 5000, [1], [3]), "the model's context length is 4096"),
    ],
)
def test_a_pair_no_model_can_learn_from_is_refused(
    pair: EncodedPair, what: str, make_policy: Callable[..., Policy], tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=what):
        run(make_policy(), tmp_path, pairs=[*PAIRS, pair])


@pytest.mark.parametrize(
    ("chosen", "rejected"),
    [([10, STOP], [10, 11, STOP]), ([10, 11, STOP], [10, STOP]), ([10, 11], [10]), ([10, STOP], [10, STOP])],
)
def test_answers_that_begin_alike_or_are_one_and_the_same(
    chosen: list[int], rejected: list[int], make_policy: Callable[..., Policy], tmp_path: Path
) -> None:
    pair = EncodedPair([*INSTRUCTION, 200], chosen, rejected)
    settings = SETTINGS.model_copy(update={"sft_weight": 0.0, "epochs": 1, "batch_size": 1})
    stage = run(make_policy(tuned=1), tmp_path, settings, pairs=[pair])
    assert logged(stage, "loss")[0] == pytest.approx(math.log(2), abs=1e-5)
    if chosen == rejected:
        assert logged(stage, "grad_norm")[0] == pytest.approx(0, abs=1e-5)


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
        run(make_policy(tuned=1), tmp_path)
    resumed = make_policy(tuned=1)
    run(resumed, tmp_path)
    assert_same(weights(resumed), undisturbed[0])


def test_run_again_after_the_last_step_nothing_more_is_trained(
    make_policy: Callable[..., Policy], tmp_path: Path, weights: Weights, undisturbed: Undisturbed
) -> None:
    run(make_policy(tuned=1), tmp_path)
    again = make_policy(tuned=1)
    assert run(again, tmp_path).cost.optimizer_steps == undisturbed[1].cost.optimizer_steps
    assert_same(weights(again), undisturbed[0])


def test_a_pair_shows_no_tokens() -> None:
    assert repr(PAIRS[0]) == "EncodedPair()"
