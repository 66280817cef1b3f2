"""What learns when a classifier is trained, and what it then says: on tiny random Llama and BERT, float32."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from torch import Tensor
from transformers import AutoConfig, AutoModel, AutoTokenizer

from preceptor.engine import Numerics, sequence_states
from preceptor.models import (
    BACKBONE,
    HEAD,
    ModelSource,
    Policy,
    Slot,
    SlotSettings,
    find_model,
    heads_of,
    slot_weights,
    start_policy,
)
from preceptor.progress import quiet
from preceptor.study.answers.head import label_probabilities
from preceptor.study.stages.classify import Labelled, Settings, train_classifier

NUMERICS = Numerics(threads=1)
LORA = SlotSettings(type="LORA", r=4, lora_alpha=8, target_modules="all-linear")
CASES = [Labelled([5, 6, 7, 10 + n % 2, 20 + n], n % 2) for n in range(12)]
LEARNING: dict[str, tuple[dict[str, Slot], list[str]]] = {
    "the head alone": ({}, ["head"]),
    "LoRA and head": ({"one": LORA}, ["one", "head"]),
    "every weight and head": ({}, [BACKBONE, "head"]),
}


def policy_of(source: ModelSource, slots: dict[str, Slot], learning: Sequence[str], labels: int = 2) -> Policy:
    every = slots | {"head": SlotSettings(type=HEAD, outputs=labels)}
    return start_policy(source, None, every, learning, seed=0, dtype=torch.float32)


def trained(policy: Policy, batches: Sequence[Sequence[Labelled]], folder: Path, **settings: Any) -> None:
    """`policy` trained in place; what validates it is the first batch, so that its last weights are its best."""
    how = Settings(epochs=1, batch_size=len(batches[0]), looks_per_epoch=1, warmup_steps=0, **settings)
    options: dict[str, Any] = {"seed": 0, "goes_on": False, "tracking": None, "advance": quiet}
    train_classifier(policy, batches, batches[0], "head", how, NUMERICS, folder, **options)


@pytest.fixture(params=["llama", "bert"])
def source(request: pytest.FixtureRequest, tiny_source: ModelSource, encoder_source: ModelSource) -> ModelSource:
    return tiny_source if request.param == "llama" else encoder_source


@pytest.mark.parametrize("name", LEARNING)
def test_what_is_trained_moves_and_every_other_bit_stays(source: ModelSource, name: str, tmp_path: Path) -> None:
    slots, learning = LEARNING[name]
    policy = policy_of(source, slots, learning)
    before = {part: copied(policy, part) for part in (BACKBONE, "head", *slots)}
    trained(policy, [CASES[:6], CASES[6:]] * 2, tmp_path, learning_rate=0.01)
    assert {part for part, weights in before.items() if moved(policy, part, weights)} == {*learning}


def copied(policy: Policy, part: str) -> dict[str, Tensor]:
    return {path: weight.detach().clone() for path, weight in slot_weights(policy.model, part).items()}


def moved(policy: Policy, part: str, before: dict[str, Tensor]) -> bool:
    """Whether any bit of that part has changed."""
    after = slot_weights(policy.model, part)
    assert after.keys() == before.keys() != set()
    return any(not torch.equal(after[path], weight) for path, weight in before.items())


def test_of_several_labels_each_is_likely_by_its_own_output(source: ModelSource) -> None:
    """P1-5: a softmax over labels would change what one says of patients when another is added."""
    two, three = (policy_of(source, {}, [], labels) for labels in (2, 3))
    heads = [heads_of(policy.model)["head"] for policy in (two, three)]
    with torch.no_grad():
        heads[1].weight[:2] = heads[0].weight
        heads[1].weight[2] = 40 * torch.arange(heads[1].in_features)
    prompts = [one.prompt for one in CASES]
    alone, beside = (label_probabilities(policy, prompts, NUMERICS, several=True) for policy in (two, three))
    torch.testing.assert_close(beside[:, :2], alone)
    assert not torch.allclose(*(label_probabilities(policy, prompts, NUMERICS)[:, :2] for policy in (two, three)))


@pytest.mark.parametrize(("balance", "rare"), [("none", 0.2), ("class_weights", 0.5), ("logit_adjustment", 0.5)])
def test_label_balance_gives_a_rare_label_its_weight(
    source: ModelSource, balance: str, rare: float, tmp_path: Path
) -> None:
    """Of cases that read alike, a fifth have another label: all that can be learned is how likely that is."""
    alike = [Labelled([5, 6, 7], int(n == 0)) for n in range(5)]
    policy = policy_of(source, {}, ["head"])
    trained(policy, [alike] * 60, tmp_path, learning_rate=0.02, label_balance=balance)
    ((_, said),) = label_probabilities(policy, [[5, 6, 7]], NUMERICS).tolist()
    assert said == pytest.approx(rare, abs=0.02)


@pytest.fixture
def narrow_encoder(tmp_path: Path, tiny_encoder_folder: Path) -> ModelSource:
    """A BERT of one layer, 8 wide, whose states differ from case to case."""
    sizes = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    config = AutoConfig.from_pretrained(tiny_encoder_folder, initializer_range=0.5, **sizes)
    folder = tmp_path / "narrow"
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        AutoModel.from_config(config).save_pretrained(folder)
    AutoTokenizer.from_pretrained(tiny_encoder_folder).save_pretrained(folder)
    return find_model(str(folder))


@pytest.mark.slow
def test_a_head_alone_is_a_logistic_regression_on_the_states(narrow_encoder: ModelSource, tmp_path: Path) -> None:
    """Both without a penalty, until they change no more. A quarter of the labels are drawn at random, so that there is
    one optimum.
    """
    drawn, policy = np.random.default_rng(0), policy_of(narrow_encoder, {}, ["head"])
    prompts = drawn.integers(20, 40, size=(480, 2)).tolist()
    with torch.no_grad():
        (head,) = heads_of(policy.model).values()
        states = sequence_states(policy.model, prompts, head, share=False).double().numpy()
    labels = ((states - states.mean(axis=0)) @ drawn.normal(size=8) > 0).astype(int)
    labels = np.where(drawn.random(480) < 0.25, drawn.integers(0, 2, 480), labels)
    train = [Labelled(prompt, int(label)) for prompt, label in zip(prompts[:80], labels, strict=False)]
    regression = LogisticRegression(C=1e6, max_iter=20_000, tol=1e-8).fit(states[:80], labels[:80])
    trained(policy, [train] * 100, tmp_path / "checkpoints", learning_rate=1.0)
    answers = label_probabilities(policy, prompts[80:], NUMERICS).argmax(-1).numpy()
    theirs = regression.score(states[80:], labels[80:])
    assert theirs > 0.7
    assert (answers == labels[80:]).mean() == pytest.approx(theirs, abs=0.01)
