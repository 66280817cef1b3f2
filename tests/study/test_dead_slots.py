"""A slot that would learn nothing: refused before training where that can be seen, else it costs its arm alone."""

import json
from pathlib import Path
from typing import Any

import pytest

from command_line import CommandLine
from html_page import Page
from tiny_study import write_study

LORA = {"type": "LORA", "r": 4, "target_modules": "all-linear"}
FEW: dict[str, Any] = {
    "tasks": [
        {
            "task": "urgency.task.yaml",
            "data": {"path": "cases.csv", "target": "urgency", "group": "patient"},
            "limit": {"train": 16, "validation": 4, "test": 6},
        }
    ],
    "sft": {"epochs": 1, "batch_size": 4, "learning_rate": 0.02},
}
BEHIND_THE_HEAD: dict[str, Any] = {
    "slots": {"behind": LORA | {"target_modules": ["lm_head"]}, "below": LORA, "head": {"type": "head"}},
    "stages": {
        "odd": {"kind": "classify", "train": ["behind", "head"]},
        "sound": {"kind": "classify", "train": ["below", "head"]},
    },
    "arms": ["odd", "sound"],
    "primary": [["odd", "sound"]],
}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            BEHIND_THE_HEAD,
            "slot behind: it would learn nothing, for it takes no part in the state that a head reads. Leave",
        ),
        (
            {"slots": {"one": LORA | {"target_modules": ["q_porj"]}}},
            "slot one: PEFT cannot put it on this model: Target modules {'q_porj'} not found in the base model",
        ),
        ({"adapter": {"target_modules": ["q_porj"]}}, "adapter: PEFT cannot put it on this model: Target modules"),
        (
            {"slots": {"one": {"type": "SHADOW", "target_modules": "all-linear"}}},
            "slot one: PEFT cannot run it on this model: 'ShadowCarrier' object has no attribute 'view'. Change its",
        ),
    ],
)
def test_what_can_be_seen_without_training_is_refused_by_check(
    tmp_path: Path, tiny_model_folder: Path, preceptor: CommandLine, changes: dict[str, Any], said: str
) -> None:
    ended = preceptor.run("check", write_study(tmp_path, tiny_model_folder, **({"arms": ["base", "sft"]} | changes)))
    assert ended.code == 2
    assert said in ended.errors
    assert ended.errors.count("error ") == 1


@pytest.mark.slow
def test_what_is_seen_by_training_alone_costs_its_arm(
    tmp_path: Path, tiny_model_folder: Path, preceptor: CommandLine
) -> None:
    study = write_study(
        tmp_path,
        tiny_model_folder,
        slots={"dead": LORA | {"lora_alpha": 0}, "alive": LORA},
        stages={"odd": {"kind": "sft", "train": ["dead"]}, "sound": {"kind": "sft", "train": ["alive"]}},
        arms=["base", "odd", "sound"],
        primary=[["sound", "base"]],
        **FEW,
    )
    ended = preceptor.run("study", study, "--output-dir", tmp_path / "run")
    assert (ended.code, ended.errors) == (3, "")
    reason = "slot dead: it learns nothing: none of its weights had a gradient by optimizer step 4"
    fix = "It takes no part in the loss. Leave it out of `train`, or change its type or its settings, such as"
    assert f"odd with seed 0 failed in SFT: {reason}." in ended.shown
    assert fix in ended.shown
    results = json.loads((tmp_path / "run" / "results.json").read_text())
    assert [(one["arm"], one["stage"], one["reason"]) for one in results["failed"]] == [("odd", "SFT", reason)]
    assert [cell["arm"] for cell in results["cells"]] == ["base", "sound"]
    assert any((one["a"], one["b"]) == ("sound", "base") for one in results["contrasts"])
    text = Page((tmp_path / "run" / "report.html").read_text()).text
    assert reason in text
    assert fix in text
