"""What learns when senses are trained, and what the loss is a mean of: on tiny random Llama and BERT, float32."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from preceptor.data import Senses
from preceptor.engine import Numerics, Stage
from preceptor.models import BACKBONE, HEAD, ModelSource, Policy, Slot, SlotSettings, slot_weights, start_policy
from preceptor.progress import quiet
from preceptor.study.stages._sense_cases import Asked
from preceptor.study.stages._sense_figures import sense_figures, sense_outputs, told
from preceptor.study.stages.senses import Settings, own_head, train_senses

NUMERICS = Numerics(threads=1)
SLOTS: dict[str, Slot] = {
    "one": SlotSettings(type="LORA", r=4, lora_alpha=8, target_modules="all-linear"),
    own_head: SlotSettings(type=HEAD, outputs=4, pool="mean"),
}
SENSES = Senses({"a": "X", "b": "X", "c": "Y", "d": "Y"}, {"a": 9, "b": 8, "c": 7, "d": 8})


def case(number: int) -> Asked:
    """Three to eight tokens; those beside the one that is read say which sense it is."""
    sense, length = number % 4, 3 + number % 6
    ids = [2, *(20 + sense for _ in range(length - 2)), 3]
    return Asked([*ids[:1], 5 + sense // 2, *ids[1:]], 1, sense, f"p{number // 2}", number % 3 == 0)


CASES = [case(number) for number in range(22)]


@pytest.fixture(params=["llama", "bert"])
def source(request: pytest.FixtureRequest, tiny_source: ModelSource, encoder_source: ModelSource) -> ModelSource:
    return tiny_source if request.param == "llama" else encoder_source


def trained(source: ModelSource, folder: Path, numerics: Numerics = NUMERICS) -> tuple[Policy, Stage, dict[str, Any]]:
    """A policy trained on two batches; what was copied of it before."""
    policy = start_policy(source, None, SLOTS, [*SLOTS], seed=0, dtype=torch.float32)
    before = {part: copied(policy, part) for part in (BACKBONE, *SLOTS)}
    how = Settings(epochs=1, batch_size=11, warmup_steps=0, learning_rate=0.01)
    options: dict[str, Any] = {"seed": 0, "goes_on": False, "tracking": None, "advance": quiet}
    stage = train_senses(policy, [CASES[:11], CASES[11:]], CASES, how, numerics, folder, **options)
    return policy, stage, before


def copied(policy: Policy, part: str) -> dict[str, Tensor]:
    return {path: weight.detach().clone() for path, weight in slot_weights(policy.model, part).items()}


def test_what_is_trained_moves_and_every_other_bit_stays(source: ModelSource, tmp_path: Path) -> None:
    policy, _, before = trained(source, tmp_path)
    for part, weights in before.items():
        after = slot_weights(policy.model, part)
        assert after.keys() == weights.keys() != set()
        assert all(torch.equal(after[path], weight) for path, weight in weights.items()) == (part == BACKBONE)


def test_a_loss_is_the_mean_over_cases_however_they_are_computed_together(source: ModelSource, tmp_path: Path) -> None:
    """Trap 9: no average of averages; a step is one batch, whichever trees or padded batches it is computed in."""
    policy, stage, _ = trained(source, tmp_path / "few")
    outputs = sense_outputs(policy, CASES, own_head, NUMERICS)
    expected = torch.nn.functional.cross_entropy(outputs, torch.tensor([one.sense for one in CASES]))
    (found,) = (row["eval_loss"] for row in stage.history if "eval_loss" in row)
    assert found == pytest.approx(float(expected), abs=1e-4)
    _, parted, _ = trained(source, tmp_path / "many", Numerics(threads=1, tokens_per_tree=64))
    for name in ("loss", "eval_loss"):
        both = [[row[name] for row in one.history if name in row] for one in (stage, parted)]
        assert both[0] == pytest.approx(both[1], abs=1e-4)
        assert both[0]


def test_figures_are_of_the_right_cases() -> None:
    """Traps 10 and 12."""
    outputs = torch.zeros(22, 4)
    for row, one in enumerate(CASES):
        outputs[row, one.sense] = 1.0
        outputs[row, (one.sense + 2) % 4] = 2.0 if row < 4 else 0.0  # a sense of the other short form
        if row >= 20:
            outputs[row, one.sense ^ 1] = 3.0  # the other sense of its own
    found = told(outputs, CASES, SENSES)
    figures = sense_figures(CASES, found)
    assert figures["all"]["cases"] == 22
    assert figures["all"]["within"]["value"] == pytest.approx(20 / 22)
    assert figures["all"]["over_all"]["value"] == pytest.approx(16 / 22)
    assert figures["all"]["commonest"]["value"] == pytest.approx(sum(n % 4 in (0, 3) for n in range(22)) / 22)
    assert figures["written_out"] == 8
    assert figures["not_written_out"]["cases"] == 14
    assert figures["all"]["patients"] == 11
    gain = figures["all"]["within"]["value"] - figures["all"]["commonest"]["value"]
    assert figures["all"]["gain"]["value"] == pytest.approx(gain)


def test_where_every_sense_is_written_out_there_is_nothing_to_tell_of_the_others() -> None:
    every = [Asked(one.ids, one.at, one.sense, one.group, True) for one in CASES]
    figures = sense_figures(every, told(torch.rand(22, 4), every, SENSES))
    assert figures["not_written_out"] is None
    assert sense_figures([], told(torch.zeros(0, 4), [], SENSES))["all"] is None
