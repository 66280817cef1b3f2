"""What a prefix tree computes is what TRL's own trainers compute, in the same precision, from the same token ids.

Gradients are compared as one vector over all weights that learn, by the norm of the difference over TRL's norm.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from peft import LoraConfig, get_peft_model
from torch import Tensor, nn
from trl import DPOTrainer, SFTTrainer

from engine.families import FAMILIES, make_pairs, new_model, word_tokenizer
from engine.trl_trainers import dpo_trainer, sft_trainer
from preceptor.engine import (
    DPOSettings,
    EncodedPair,
    Numerics,
    SFTSettings,
    answer_logprobs,
    can_share,
    dpo_loss,
    reward_margins,
    run_dpo,
    run_sft,
    sft_loss,
)
from preceptor.engine.tree import blocks
from preceptor.engine.tree.batches import schedule, split_into_trees
from preceptor.models import Encoded, ModelSource, Policy
from preceptor.models._fused import fuse

BETA = 0.1
BATCH = make_pairs(6)
TRAIN = make_pairs(60)  # ten steps, twice
DPO = DPOSettings(
    beta=BETA, sft_weight=0, learning_rate=1e-3, epochs=2, batch_size=6, warmup_steps=5, max_grad_norm=0.5
)
SFT = SFTSettings(learning_rate=1e-3, epochs=2, batch_size=6, warmup_steps=5, max_grad_norm=0.5, patience=9)
SMALL_TREES = Numerics(threads=1, tokens_per_tree=64)  # a step does not fit into one

Build = Callable[..., Any]

every_family = pytest.mark.parametrize("family", FAMILIES)
every_weight_or_adapter = pytest.mark.parametrize("lora", [False, True], ids=["every weight", "adapter"])
offline = pytest.mark.usefixtures("no_network")
pytestmark = [
    pytest.mark.slow,  # half a minute for the whole file
    pytest.mark.filterwarnings("ignore::FutureWarning:transformers.*"),  # TRL uses names that transformers will drop
    pytest.mark.filterwarnings("ignore:fan_in_fan_out"),  # peft sets it rightly for GPT-2 and says so
]


@pytest.fixture(scope="session")
def build(sharpen: Callable[[nn.Module], Any]) -> Build:
    """The same model at every call; an adapter has been tuned before, so that the base model is not its reference."""

    def built(family: str, *, lora: bool = False) -> Any:
        model = sharpen(new_model(family))
        if lora:
            model = get_peft_model(model, LoraConfig(task_type="CAUSAL_LM", r=4, target_modules="all-linear"))
            drift(model)
        return model.eval()

    return built


def learning(model: nn.Module) -> dict[str, nn.Parameter]:
    """The weights that learn; TRL keeps a copy of the adapter as its reference."""
    return {name: w for name, w in model.named_parameters() if w.requires_grad and ".ref." not in name}


@torch.no_grad()
def drift(model: nn.Module) -> None:
    """What training does to the weights, the same at every call."""
    generator = torch.Generator().manual_seed(1)
    for weight in learning(model).values():
        weight += 0.05 * torch.randn(weight.shape, generator=generator)


@dataclass
class Step:
    """What one batch gives: log-probability of every answer token, loss, and the gradient as one vector."""

    logprobs: Tensor
    loss: float
    gradient: Tensor


def gradient(model: nn.Module) -> Tensor:
    """As one vector; a weight that nothing depends on has none."""
    parts = [torch.zeros_like(w) if w.grad is None else w.grad for w in learning(model).values()]
    return torch.cat([part.flatten() for part in parts])


def assert_same(got: Step, expected: Step) -> None:
    torch.testing.assert_close(got.logprobs, expected.logprobs, atol=1e-4, rtol=0)
    assert got.loss == pytest.approx(expected.loss, abs=1e-5)
    assert float((got.gradient - expected.gradient).norm() / expected.gradient.norm()) < 1e-5


def trl_step(trainer: DPOTrainer | SFTTrainer) -> Step:
    """Loss and gradient of the trainer's first batch, the log-probabilities as its own loss sees them."""
    seen: list[Any] = []
    hook = trainer.model.register_forward_hook(lambda _model, _inputs, outputs: seen.append(outputs))
    inputs = trainer._prepare_inputs(next(iter(trainer.get_train_dataloader())))
    answers = inputs["completion_mask"] == 1 if "completion_mask" in inputs else inputs["labels"] != -100
    loss = trainer.compute_loss(trainer.model, inputs)
    hook.remove()
    loss.backward()
    return Step(seen[0].log_probs.detach()[answers[:, 1:]], loss.item(), gradient(trainer.model))


def dpo_step(model: nn.Module, reference: Sequence[Tensor], trees: Sequence[Sequence[int]]) -> Step:
    """A step on BATCH, walked tree by tree. reference: [chosen, rejected] of each pair."""
    logprobs: dict[int, list[Tensor]] = {}
    total = 0.0
    model.zero_grad()
    for tree in trees:
        answers = answer_logprobs(model, [s for i in tree for s in BATCH[i].sequences()], share=True)
        logprobs |= {i: answers[2 * n : 2 * n + 2] for n, i in enumerate(tree)}
        sums = torch.stack([torch.stack([one.sum() for one in logprobs[i]]) for i in tree])
        kept = torch.stack([reference[i] for i in tree])
        margins = reward_margins(sums[:, 0], sums[:, 1], kept[:, 0], kept[:, 1])
        loss = dpo_loss(margins, BETA).sum() / len(BATCH)
        loss.backward()
        total += loss.item()
    in_trl_order = [logprobs[i][side].detach() for side in (0, 1) for i in range(len(BATCH))]
    return Step(torch.cat(in_trl_order), total, gradient(model))


def sft_step(model: nn.Module, trees: Sequence[Sequence[int]]) -> Step:
    """The same for the chosen answers."""
    logprobs: dict[int, Tensor] = {}
    total = 0.0
    model.zero_grad()
    for tree in trees:
        answers = answer_logprobs(model, [chosen(BATCH[i]) for i in tree], share=True)
        logprobs |= dict(zip(tree, answers, strict=True))
        loss = sft_loss(torch.cat(answers)) / sum(len(pair.chosen) for pair in BATCH)
        loss.backward()
        total += loss.item()
    return Step(torch.cat([logprobs[i].detach() for i in range(len(BATCH))]), total, gradient(model))


def chosen(pair: EncodedPair) -> Encoded:
    return Encoded(pair.prompt, pair.chosen)


@torch.no_grad()
def reference_of(model: nn.Module) -> list[Tensor]:
    """[chosen, rejected] of each pair of BATCH under the model as it is."""
    sums = [one.sum() for one in answer_logprobs(model, [s for p in BATCH for s in p.sequences()], share=True)]
    return list(torch.stack(sums).view(-1, 2))


def fused(model: Any) -> Any:
    """The model as a policy holds it: one with an adapter takes fewer passes over memory than peft's own."""
    if hasattr(model, "peft_config"):
        fuse(model)
    return model


def policy(model: Any) -> Policy:
    return Policy(fused(model), word_tokenizer(), ModelSource("tiny", "tiny", Path(), "folder"))


ALL = [list(range(len(BATCH)))]


@every_family
def test_every_family_shares_prefixes(family: str, build: Build) -> None:
    assert can_share(build(family))


@offline
@every_weight_or_adapter
@every_family
def test_a_dpo_batch_is_that_of_trl(family: str, lora: bool, build: Build, tmp_path: Path) -> None:
    trainer = dpo_trainer(build(family, lora=lora), BATCH, DPO, tmp_path)
    drift(trainer.model)
    expected = trl_step(trainer)
    assert float(expected.logprobs.std()) > 0.5, "these weights could not tell a wrong mask from a right one"
    assert abs(expected.loss - math.log(2)) > 1e-3, "the policy is still its reference"
    model = fused(build(family, lora=lora))
    reference = reference_of(model)
    drift(model)
    assert_same(dpo_step(model, reference, ALL), expected)


@offline
@every_weight_or_adapter
@every_family
def test_an_sft_batch_is_that_of_trl(family: str, lora: bool, build: Build, tmp_path: Path) -> None:
    trainer = sft_trainer(build(family, lora=lora), [chosen(pair) for pair in BATCH], SFT, tmp_path)
    assert_same(sft_step(fused(build(family, lora=lora)), ALL), trl_step(trainer))


budgets = st.integers(1, 250).map(
    lambda budget: split_into_trees(
        range(len(BATCH)), lambda i: [s.prompt + s.answer for s in BATCH[i].sequences()], budget
    )
)
groups = st.lists(st.integers(0, 3), min_size=len(BATCH), max_size=len(BATCH)).map(
    lambda group_of: [[i for i, group in enumerate(group_of) if group == one] for one in set(group_of)]
)


@every_family
def test_every_split_of_a_step_into_trees_and_blocks_gives_the_same(family: str, build: Build) -> None:
    model = build(family)
    reference = reference_of(model)
    drift(model)
    whole_dpo, whole_sft = dpo_step(model, reference, ALL), sft_step(model, ALL)

    @settings(max_examples=12, deadline=None, database=None)
    @given(budgets | groups, st.sampled_from([1, 8, 64]))
    def check(trees: list[list[int]], block: int) -> None:
        assert sorted(i for tree in trees for i in tree) == ALL[0]
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(blocks, "_SMALL", block)
            assert_same(dpo_step(model, reference, trees), whole_dpo)
            assert_same(sft_step(model, trees), whole_sft)

    check()


@every_family
def test_the_first_margin_is_0(family: str, build: Build, tmp_path: Path) -> None:
    stage = run_dpo(policy(build(family, lora=True)), BATCH, [], DPO, SMALL_TREES, tmp_path, seed=0)
    assert stage.history[0]["rewards/margins"] == pytest.approx(0, abs=1e-5)
    assert stage.history[0]["loss"] == pytest.approx(math.log(2), abs=1e-5)


def curve(history: list[dict[str, float]], name: str) -> list[float]:
    return [row[name] for row in history if name in row and "loss" in row]


@offline
@every_family
def test_twenty_dpo_steps_give_the_curve_of_trl(family: str, build: Build, tmp_path: Path) -> None:
    order = [TRAIN[i] for step in schedule(len(TRAIN), DPO.batch_size, DPO.epochs, seed=0) for i in step]
    trainer = dpo_trainer(build(family), order, DPO, tmp_path / "trl")
    trainer.train()
    stage = run_dpo(policy(build(family)), TRAIN, [], DPO, SMALL_TREES, tmp_path, seed=0)
    assert_same_curve(stage.history, trainer.state.log_history, "loss")
    assert_same_curve(stage.history, trainer.state.log_history, "rewards/margins")


@offline
@pytest.mark.parametrize(
    "loss",
    [
        {"sft_weight": 0.5},
        {"loss_type": "robust", "label_smoothing": 0.2},
        {"loss_type": "ipo", "sft_weight": 0.5},
        {"loss_type": "hinge"},
    ],
    ids=str,
)
def test_every_loss_gives_the_curve_of_trl(loss: dict[str, Any], build: Build, tmp_path: Path) -> None:
    told = DPO.model_copy(update={"epochs": 1} | loss)
    order = [TRAIN[i] for step in schedule(len(TRAIN), told.batch_size, told.epochs, seed=0) for i in step]
    trainer = dpo_trainer(build("llama"), order, told, tmp_path / "trl")
    trainer.train()
    stage = run_dpo(policy(build("llama")), TRAIN, [], told, SMALL_TREES, tmp_path, seed=0)
    assert_same_curve(stage.history, trainer.state.log_history, "loss", steps=10)


@offline
@every_family
def test_twenty_sft_steps_give_the_curve_of_trl(family: str, build: Build, tmp_path: Path) -> None:
    examples = [chosen(pair) for pair in TRAIN]
    order = [examples[i] for step in schedule(len(TRAIN), SFT.batch_size, SFT.epochs, seed=0) for i in step]
    trainer = sft_trainer(build(family), order, SFT, tmp_path / "trl")
    trainer.train()
    stage = run_sft(policy(build(family)), examples, examples[:4], SFT, SMALL_TREES, tmp_path, seed=0)
    assert_same_curve(stage.history, trainer.state.log_history, "loss")


def assert_same_curve(ours: list[dict[str, float]], trl: list[dict[str, float]], name: str, steps: int = 20) -> None:
    got, expected = curve(ours, name), curve(trl, name)
    assert len(got) == len(expected) == steps
    assert max(expected) - min(expected) > 0.01, "nothing was learnt"
    assert got == pytest.approx(expected, abs=1e-4)
