"""SFT on labels: the loss is that of a plain computation, it is learned by, evaluated, resumed and paid for."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from preceptor.engine import (
    Cost,
    EncodedChoice,
    Forward,
    Numerics,
    SFTExample,
    SFTSettings,
    Stage,
    flops_of,
    run_sft,
    score_answers,
    sft_steps_worth,
    training_work,
)
from preceptor.engine.training.label_choice import choice_loss
from preceptor.errors import InputError
from preceptor.models import Encoded, Policy

MakePolicy = Callable[..., Policy]
Weights = Callable[[Policy], dict[str, Tensor]]

STOP = 2
NUMERICS = Numerics(threads=1)
ANSWERS = [[10, STOP], [10, 11, STOP], [12, 13, 14, STOP]]
"""Two of the labels begin alike, and all are of another length."""
SIGNS = [40, 50, 60]
"""What of a note says which label is right."""


def case(number: int, gold: int) -> EncodedChoice:
    return EncodedChoice([*range(100, 110), 200 + number % 7, SIGNS[gold], 210 + number % 5, 300], ANSWERS, gold)


def rare(number: int) -> int:
    """Every third case has the second label, every ninth the third one."""
    return 2 if number % 9 == 0 else int(number % 3 == 0)


TRAIN = [case(number, rare(number)) for number in range(18)]
VALIDATION = [case(number, rare(number)) for number in range(20, 29)]
SETTINGS = SFTSettings(learning_rate=3e-3, epochs=3, batch_size=6, warmup_steps=0, looks_per_epoch=1)
BALANCES = ["none", "class_weights", "logit_adjustment"]


def run(policy: Policy, folder: Path, settings: SFTSettings = SETTINGS, **changed: Any) -> Stage:
    arguments: dict[str, Any] = {"train": TRAIN, "validation": VALIDATION, "numerics": NUMERICS, "seed": 3}
    return run_sft(policy, settings=settings, folder=folder, **(arguments | changed))


def looks(stage: Stage, name: str = "eval_loss") -> list[float]:
    return [row[name] for row in stage.history if name in row]


def plain_loss(policy: Policy, cases: Sequence[EncodedChoice], settings: SFTSettings) -> Tensor:
    """With the model's own code on padded sequences, from the formula: no tree, nothing shared."""
    rows = [(one.prompt, answer) for one in cases for answer in one.answers]
    longest = max(len(prompt) + len(answer) for prompt, answer in rows)
    ids = torch.zeros(len(rows), longest, dtype=torch.long)
    there = torch.zeros_like(ids)
    for row, (prompt, answer) in enumerate(rows):
        ids[row, : len(prompt) + len(answer)] = torch.tensor([*prompt, *answer])
        there[row, : len(prompt) + len(answer)] = 1
    words = policy.model(input_ids=ids, attention_mask=there).logits.float().log_softmax(-1)
    of_answer = [
        torch.stack([words[row, len(prompt) + place - 1, token] for place, token in enumerate(answer)])
        for row, (prompt, answer) in enumerate(rows)
    ]
    shares = [sum(one.gold == label for one in TRAIN) / len(TRAIN) for label in range(len(ANSWERS))]
    total = torch.zeros(())
    for number, one in enumerate(cases):
        labels = of_answer[number * len(ANSWERS) : (number + 1) * len(ANSWERS)]
        scores = torch.stack([label.sum() for label in labels])
        if settings.label_balance == "logit_adjustment":
            scores = scores + torch.tensor(shares).log()
        part = -scores.log_softmax(0)[one.gold] - (settings.label_token_weight or 0) * labels[one.gold].mean()
        weight = 1 / (len(ANSWERS) * shares[one.gold]) if settings.label_balance == "class_weights" else 1.0
        total = total + weight * part / len(cases)
    return total


def gradients(policy: Policy, loss: Tensor) -> dict[str, Tensor]:
    policy.model.zero_grad()
    loss.backward()
    return {name: w.grad.clone() for name, w in policy.model.named_parameters() if w.grad is not None}


@pytest.mark.parametrize("share", [True, False], ids=["a tree", "one by one"])
@pytest.mark.parametrize(("balance", "weight"), [*zip(BALANCES, (0.3, 0.3, 0.3), strict=True), ("none", 0.0)])
def test_loss_and_gradient_are_those_of_a_plain_computation(
    make_policy: MakePolicy, share: bool, balance: Any, weight: float
) -> None:
    policy = make_policy(tuned=1)
    settings = SETTINGS.model_copy(update={"label_balance": balance, "label_token_weight": weight})
    some = TRAIN[:7]
    expected = plain_loss(policy, some, settings)
    slopes = gradients(policy, expected)
    found, _ = choice_loss(TRAIN, settings)(Forward(policy.model, share, Cost()), some, some)
    assert float(found.detach()) == pytest.approx(float(expected.detach()), abs=1e-5, rel=1e-5)
    largest = max(float(slope.abs().max()) for slope in slopes.values())
    for name, slope in gradients(policy, found).items():
        torch.testing.assert_close(slope, slopes[name], atol=1e-5 * largest, rtol=1e-4)


def test_the_first_step_has_that_loss_and_figures_of_the_labels_alone(make_policy: MakePolicy, tmp_path: Path) -> None:
    policy = make_policy(tuned=1)
    settings = SETTINGS.model_copy(update={"batch_size": len(TRAIN), "label_balance": "class_weights"})
    with torch.no_grad():
        expected = float(plain_loss(policy, TRAIN, settings))
        alone = float(plain_loss(policy, TRAIN, SETTINGS.model_copy(update={"label_token_weight": 0.0})))
    scores, _ = score_answers(policy, [one.prompt for one in TRAIN], [ANSWERS] * len(TRAIN), NUMERICS)
    right = [max(range(3), key=of.__getitem__) == one.gold for of, one in zip(scores, TRAIN, strict=True)]
    first = next(row for row in run(policy, tmp_path, settings).history if "loss" in row)
    assert first["loss"] == pytest.approx(expected, rel=1e-5)
    assert first["label_nll"] == pytest.approx(alone, rel=1e-5)
    assert first["label_accuracy"] == pytest.approx(sum(right) / len(right))


@pytest.mark.parametrize("balance", BALANCES[1:])
def test_evaluations_are_of_the_same_loss_and_the_best_of_them_is_kept(
    make_policy: MakePolicy, tmp_path: Path, balance: Any
) -> None:
    policy = make_policy()
    settings = SETTINGS.model_copy(update={"label_balance": balance})
    stage = run(policy, tmp_path, settings)
    with torch.no_grad():
        kept = float(plain_loss(policy, VALIDATION, settings))
    assert kept == pytest.approx(min(looks(stage)), abs=1e-5)
    assert looks(stage)[-1] < looks(stage)[0]
    assert len(looks(stage, "eval_label_nll")) == len(looks(stage, "eval_label_accuracy")) == len(looks(stage))


def test_how_a_step_is_split_into_trees_does_not_matter(
    make_policy: MakePolicy, tmp_path: Path, weights: Weights
) -> None:
    policies, costs = [], []
    for tokens in (64, 4096):
        policy, numerics = make_policy(tuned=1), Numerics(threads=1, tokens_per_tree=tokens)
        settings = SETTINGS.model_copy(update={"label_balance": "class_weights"})
        costs.append(run(policy, tmp_path / str(tokens), settings, numerics=numerics).cost)
        policies.append(weights(policy))
    assert costs[0].tokens_computed > costs[1].tokens_computed, "both runs had the same trees"
    for name, weight in policies[0].items():
        torch.testing.assert_close(weight, policies[1][name], atol=1e-4, rtol=0)


def test_what_a_note_says_is_learned_sooner_than_by_the_tokens_of_the_answer(
    make_policy: MakePolicy, tmp_path: Path
) -> None:
    """The same cases, steps, rate and seed. The label depends on one token of the note; each is as frequent."""
    cases = [case(number, number % 3) for number in range(96)]
    texts = [Encoded(one.prompt, one.answers[one.gold]) for one in cases]
    settings = SETTINGS.model_copy(update={"epochs": 1, "batch_size": 8, "learning_rate": 1e-3})

    def right(learned: Sequence[SFTExample], folder: str) -> float:
        policy, held_out = make_policy(), [case(number, number % 3) for number in range(500, 530)]
        run(policy, tmp_path / folder, settings, train=learned[:72], validation=learned[72:])
        scores, _ = score_answers(policy, [one.prompt for one in held_out], [ANSWERS] * len(held_out), NUMERICS)
        best = [max(range(3), key=of.__getitem__) for of in scores]
        return sum(label == one.gold for label, one in zip(best, held_out, strict=True)) / len(held_out)

    by_tokens, by_labels = right(texts, "tokens"), right(cases, "labels")
    assert by_labels > 0.6 > 1 / 3
    assert by_labels > by_tokens


@pytest.fixture(scope="module")
def undisturbed(
    make_policy: MakePolicy, weights: Weights, tmp_path_factory: pytest.TempPathFactory
) -> tuple[dict[str, Tensor], Stage]:
    policy = make_policy()
    stage = run(policy, tmp_path_factory.mktemp("whole"))
    return weights(policy), stage


@pytest.mark.parametrize("after", [2, 9])
def test_cut_off_in_a_step_it_goes_on_to_the_same_weights(
    after: int,
    make_policy: MakePolicy,
    tmp_path: Path,
    weights: Weights,
    undisturbed: tuple[dict[str, Tensor], Stage],
    cut_after: Any,
    killed: type[Exception],
) -> None:
    with pytest.raises(killed):
        run(make_policy(), tmp_path, advance=cut_after(after))
    resumed = make_policy()
    stage = run(resumed, tmp_path)
    expected, whole = undisturbed
    assert all(torch.equal(weight, expected[name]) for name, weight in weights(resumed).items())
    assert [row for row in stage.history if "eval_loss" in row or "loss" in row] == [
        row for row in whole.history if "eval_loss" in row or "loss" in row
    ]
    for name in ("optimizer_steps", "tokens_seen", "tokens_computed", "flops"):
        assert getattr(stage.cost, name) == getattr(whole.cost, name)


def test_the_plan_counts_the_leaves_of_all_labels_as_the_ledger_does(make_policy: MakePolicy, tmp_path: Path) -> None:
    policy, settings = make_policy(), SETTINGS.model_copy(update={"batch_size": len(TRAIN), "patience": 99})
    cost = run(policy, tmp_path, settings).cost
    groups = [[one.sequences() for one in part] for part in (TRAIN, VALIDATION)]
    work = training_work(*groups, settings, NUMERICS.tokens_per_tree, share=True)
    seen = sum(len(one.prompt) * 3 + sum(map(len, ANSWERS)) for one in (*TRAIN, *VALIDATION))
    assert cost.tokens_seen == settings.epochs * seen
    assert sum(unit.repeats * unit.seen for unit in work) == cost.tokens_seen
    assert sum(unit.repeats * unit.tokens for unit in work) == cost.tokens_computed
    assert flops_of(work, policy.model) == pytest.approx(cost.flops, rel=1e-12)
    # Behind each prompt 10, 10 STOP, 10 11, 10 11 STOP, 12, 12 13, 12 13 14 and 12 13 14 STOP: what labels begin with
    # alike stands once.
    begun = {tuple(one.prompt[:end]) for one in TRAIN for end in range(1, len(one.prompt) + 1)}
    of_an_epoch = sum(unit.tokens for unit in work if unit.kind == "train")
    assert of_an_epoch == len(begun) + 8 * len({tuple(one.prompt) for one in TRAIN})


@pytest.mark.parametrize("share", [True, False], ids=["a tree", "one by one"])
def test_continued_for_a_budget_it_pays_for_the_labels_too(
    make_policy: MakePolicy, tmp_path: Path, share: bool
) -> None:
    first, policy = make_policy(tuned=1), make_policy(tuned=1)
    first.shares_prefixes = policy.shares_prefixes = share
    one = run(first, tmp_path / "first", flops=1.0).cost.training_flops
    budget = one * 3.5
    planned = sft_steps_worth(budget, policy, TRAIN, SETTINGS, NUMERICS, seed=3)
    stage = run(policy, tmp_path / "more", flops=budget)
    spent = stage.cost.training_flops
    assert stage.cost.optimizer_steps == planned
    assert budget <= spent * (1 + 1e-12)
    assert spent < budget + 1.5 * one, "one step over at most"
    texts = [Encoded(one.prompt, ANSWERS[one.gold]) for one in TRAIN]
    assert sft_steps_worth(budget, policy, texts, SETTINGS, NUMERICS, seed=3) > planned, "one label costs less than all"


def test_continued_training_counts_frequencies_alike_and_may_keep_its_start(
    make_policy: MakePolicy, tmp_path: Path
) -> None:
    policy = make_policy(tuned=1)
    contrary = [EncodedChoice(one.prompt, ANSWERS, (one.gold + 1) % 3) for one in VALIDATION]
    trained = run(policy, tmp_path / "one", SETTINGS.model_copy(update={"epochs": 6}), validation=contrary)
    stage = run(policy, tmp_path / "two", validation=contrary, goes_on=True)
    assert stage.history[0]["step"] == 0
    assert looks(stage)[0] == pytest.approx(min(looks(trained)), abs=1e-6)


def test_a_label_that_fits_no_context_is_named_before_the_first_step(make_policy: MakePolicy, tmp_path: Path) -> None:
    long = [EncodedChoice(one.prompt, [*ANSWERS[:2], [9] * 5000], one.gold) for one in TRAIN]
    with pytest.raises(InputError, match=r"sequence 3 of .* context length"):
        run(make_policy(), tmp_path, train=long)
