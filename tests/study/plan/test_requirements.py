"""What a study will need: counted from its cases and its model's configuration, here or for a machine described."""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from transformers import LlamaConfig

from preceptor.errors import InputError
from preceptor.study import Machine, Plan, load_study, machine, plan_study, read_planned, remedies
from preceptor.study.plan.machine import GIB
from preceptor.study.plan.requirements import Planned
from tiny_study import write_study, write_table

CLUSTER = Machine(1, 80 * GIB, 400.0, accelerator=True)
EIGHT_BILLION: dict[str, Any] = {
    "hidden_size": 4096,
    "intermediate_size": 14336,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "vocab_size": 128256,
    "max_position_embeddings": 8192,
}


def planned(folder: Path, model: Path, **changes: Any) -> Planned:
    """A tiny study, read; its number format is that of the machine it is planned for."""
    folder.mkdir(parents=True, exist_ok=True)
    write_table(folder / "cases.csv", patients=100)
    settings = {"numerics": {"dtype": "auto", "threads": 1}} | changes
    return read_planned(*load_study(str(write_study(folder, model, **settings))))


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory, tiny_model_folder: Path) -> Path:
    """A model of eight billion weights that are not here, with the tiny model's tokenizer."""
    folder = tmp_path_factory.mktemp("large")
    for name in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja"):
        shutil.copy(tiny_model_folder / name, folder)
    LlamaConfig(**EIGHT_BILLION).save_pretrained(folder)
    return folder


def peaks(plan: Plan) -> dict[str, float]:
    """GiB of each stage."""
    return {need.what: need.peak / GIB for need in plan.needs}


def test_a_tiny_study_on_this_machine(tmp_path: Path, tiny_model_folder: Path) -> None:
    plan = plan_study(planned(tmp_path, tiny_model_folder), machine(None, None, None))
    assert [need.what for need in plan.needs] == [
        "SFT",
        "pairs",
        "DPO",
        "answers of base",
        "answers of sft",
        "answers of sft+dpo",
    ]
    seconds = [need.times * (need.seconds or 0) for need in plan.needs]  # few where the machine is fast
    assert all(one > 0 for one in seconds)
    assert plan.seconds == pytest.approx(sum(seconds))
    assert plan.seconds < 300
    assert all(need.tokens <= need.seen for need in plan.needs)
    assert all(need.flops > 0 for need in plan.needs)
    assert 0.1 * GIB < plan.peak < machine(None, None, None).room
    assert plan.notes == []


def test_a_classifier_on_an_encoder_is_planned_in_padded_batches(tmp_path: Path, tiny_encoder_folder: Path) -> None:
    arms = {"arms": ["classify", "tfidf"], "primary": [["classify", "tfidf"]]}
    study = planned(tmp_path, tiny_encoder_folder, **arms)
    plan = plan_study(study, machine(None, None, None))
    trained, answers = (need for need in plan.needs if need.what in ("Classifier", "answers of classify"))
    held_out = [len(prompt) for prompt in study.tasks[0].test]
    assert answers.seen == sum(held_out)
    assert answers.seen <= answers.tokens <= answers.seen * 16 / 15
    assert trained.seen <= trained.tokens <= trained.seen * 16 / 15
    assert trained.flops > answers.flops > 0
    assert all(need.seconds is not None and need.seconds >= 0 for need in (trained, answers))


def test_a_large_model_whose_weights_are_not_here(tmp_path: Path, large: Path) -> None:
    study = planned(tmp_path, large)
    plan = plan_study(study, CLUSTER)
    gib = 8.03e9 * 2 / GIB
    assert plan.numerics.dtype == "bfloat16"
    assert all(gib < peak < gib + 12 for peak in peaks(plan).values()), "arms answer in the format of the training"
    wide = planned(tmp_path, large, numerics={"answer_dtype": "float32"})
    answered = [peak for what, peak in peaks(plan_study(wide, CLUSTER, timed=False)).items() if "answers" in what]
    assert all(2 * gib < peak < 2 * gib + 12 for peak in answered)
    assert plan.seconds is not None
    assert "nothing of that machine was measured" in plan.notes[0]
    faster = plan_study(study, replace(CLUSTER, tflops=800.0))
    assert faster.seconds is not None
    assert faster.seconds < plan.seconds


def test_more_devices_share_training_alone(tmp_path: Path, large: Path) -> None:
    study = planned(tmp_path, large)
    one, four = (plan_study(study, replace(CLUSTER, devices=count)) for count in (1, 4))
    assert four.numerics.processes == 4
    assert peaks(four)["answers of sft"] == pytest.approx(peaks(one)["answers of sft"])
    trained = [(a.seconds, b.seconds) for a, b in zip(one.needs, four.needs, strict=True) if b.devices == 4]
    assert len(trained) == 2
    assert all(b < a for a, b in trained if a is not None and b is not None)


def test_four_bits_and_sixteen(tmp_path: Path, large: Path) -> None:
    whole, packed, wide = (
        peaks(plan_study(planned(tmp_path / str(i), large, **changes), CLUSTER, timed=False))["SFT"]
        for i, changes in enumerate(({}, {"load_in_4bit": True}, {"numerics": {"dtype": "float32"}}))
    )
    linear = 6.98e9  # of all numbers but the embeddings and the output layer
    assert wide - whole == pytest.approx(8.03e9 * 2 / GIB, rel=0.2)
    assert whole - packed == pytest.approx(linear * (2 - 0.516) / GIB, rel=0.2)


def test_longer_cases_and_larger_trees_need_more(tmp_path: Path, tiny_model_folder: Path) -> None:
    few, many = (
        plan_study(planned(tmp_path / str(tokens), tiny_model_folder, numerics={"tokens_per_tree": tokens}), CLUSTER)
        for tokens in (64, 1024)
    )
    assert peaks(many)["SFT"] > peaks(few)["SFT"]


def test_seeds_are_counted(tmp_path: Path, tiny_model_folder: Path) -> None:
    one, three = (
        plan_study(planned(tmp_path / str(len(seeds)), tiny_model_folder, seeds=seeds), CLUSTER)
        for seeds in ([0], [0, 1, 2])
    )
    times = {need.what: need.times for need in three.needs}
    assert times["SFT"] == times["answers of sft"] == 3
    assert times["answers of base"] == 1
    assert one.seconds is not None
    assert three.seconds is not None
    assert 2 * one.seconds < three.seconds < 3 * one.seconds


def test_what_would_help_is_planned_again(tmp_path: Path, large: Path) -> None:
    study = planned(tmp_path, large)
    small = Machine(1, 16 * GIB, 100.0, accelerator=True)
    assert plan_study(study, small, timed=False).peak > small.room
    helps = remedies(study, small)
    assert any(one.startswith("load_in_4bit: true") for one in helps)
    tiny = Machine(1, 2 * GIB, 100.0, accelerator=True)
    (only,) = remedies(study, tiny)
    assert only.startswith("a smaller model")


def test_without_its_tokenizer_another_stands_for_it(
    tmp_path: Path, large: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bare = tmp_path / "bare"
    bare.mkdir()
    shutil.copy(large / "config.json", bare)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "nothing"))
    with pytest.raises(InputError, match="tokenizer is not here"):
        planned(tmp_path / "study", bare)


def test_everything_wrong_is_said_at_once(tmp_path: Path, large: Path) -> None:
    data = {"path": "none.csv", "target": "urgency", "group": "patient"}
    with pytest.raises(InputError) as caught:
        planned(tmp_path, large, max_length=9000, tasks=[{"task": "urgency.task.yaml", "data": data}])
    assert len(caught.value.problems) == 2


def test_a_machine_is_described_whole_or_not_at_all() -> None:
    here = machine(None, None, None)
    assert here.tflops is None
    assert here.memory > GIB
    assert machine(None, 16, None).memory == 16 * GIB
    assert machine(4, 80, 400) == Machine(4, 80 * GIB, 400, accelerator=True)
    for described in ((4, None, None), (4, 80, None), (None, None, 400.0)):
        with pytest.raises(InputError, match=r"memory-gib"):
            machine(*described)
