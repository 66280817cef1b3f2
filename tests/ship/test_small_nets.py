"""Small nets over sets of codes: exported as safetensors and JSON beside their head, served, verified; float32."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from rich.console import Console
from safetensors.torch import load_file, save_file
from transformers import AutoModel, AutoTokenizer

from command_line import CommandLine
from preceptor.errors import InputError, PreceptorError
from preceptor.ship import _export, export
from preceptor.ship.serving import load
from preceptor.ship.serving._api import create_app
from preceptor.study import ArmOfRun, held_out, load_study, open_arm, run_study
from preceptor.web.door import open_door
from preceptor.web.server import Limits
from ship.slot_runs import QUIET, checked, measured
from slow_client import serving

STUDY: dict[str, Any] = {
    "name": "visits",
    "arms": ["frequency", {"name": "student", "stages": ["student"], "answer": "head", "view": "codes"}],
    "models": {"small": {"family": "codes", "width": 16}},
    "stages": {"student": {"kind": "classify", "model": "small", "epochs": 6, "learning_rate": 0.02, "batch_size": 8}},
    "tasks": [
        {
            "task": "medication",
            "data": {"cases": 50, "seed": 5},
            "views": {"codes": {"template": "{visits}", "cut": "visits"}},
        }
    ],
    "max_length": 1024,
    "numerics": {"dtype": "bfloat16", "threads": 1},
}


@pytest.fixture(scope="module")
def arm(tmp_path_factory: pytest.TempPathFactory, tiny_model_folder: Path) -> ArmOfRun:
    """Of a study in bfloat16, whose net learns and is measured in float32 all the same."""
    folder = tmp_path_factory.mktemp("nets")
    (folder / "study.yaml").write_text(yaml.safe_dump(STUDY | {"model": str(tiny_model_folder)}))
    run_study(*load_study(str(folder / "study.yaml")), folder / "run", Console(quiet=True), command="preceptor study")
    found = open_arm(folder / "run", "medication", "student", heads=True)
    assert len(set(measured(found))) > 2, "the answers differ"
    return found


@torch.no_grad()
def likely_by_hand(arm: ArmOfRun, folder: Path) -> list[list[float]]:
    """The probability of each drug of each held-out case, by nothing but the files of the export."""
    model, tokenizer = AutoModel.from_pretrained(folder).eval(), AutoTokenizer.from_pretrained(folder)
    head = load_file(folder / "head.safetensors")
    batch: Any = tokenizer([one.fields["visits"] for one in held_out(arm).shown], padding=True, return_tensors="pt")
    assert len(set(batch["attention_mask"].sum(-1).tolist())) > 1
    states = model(**batch, output_hidden_states=True).hidden_states[-1][:, 0]
    found: list[list[float]] = (states @ head["weight"].T + head["bias"]).sigmoid().tolist()
    return found


def test_it_leaves_as_safetensors_and_json(arm: ArmOfRun, tmp_path: Path) -> None:
    done = checked(arm, "merged", tmp_path)
    assert done.rounding is not None
    assert (done.rounding.dtype, done.rounding.weight_error) == ("float32", 0)
    assert "transformers has no class for classification with a model of type code_sets" in str(done.head_beside)
    assert {one.suffix for one in tmp_path.iterdir()} == {".safetensors", ".json", ".md"}
    likely, written = likely_by_hand(arm, tmp_path), json.loads((tmp_path / "head.json").read_text())
    assert written["labels"] == list(arm.task.set_labels)
    assert written["threshold"] == arm.threshold
    for found, one in zip(likely, arm.predictions, strict=True):
        assert found == pytest.approx(list((one.scores or {}).values()), abs=1e-5)
    answers = [dict(zip(written["labels"], one, strict=True)) for one in likely]
    assert [arm.head_text(one, written["threshold"]) for one in answers] == measured(arm)


def test_its_readme_says_how_it_is_loaded_and_what_it_is_shown(arm: ArmOfRun, tmp_path: Path) -> None:
    checked(arm, "merged", tmp_path)
    said = (tmp_path / "README.md").read_text()
    assert "small (codes, 16 wide), trained from scratch. It needs no adapter." in said
    assert said.count("`import preceptor.models` makes this kind of model known to transformers") == 1
    assert "Codes that no training case had are passed over." in said
    assert 'the view `codes` in place of the task\'s prompt, with each {field} filled in: "{visits}"' in said
    assert "Fields: `visits`, all visits in codes, one a line" in said


def test_a_net_with_other_weights_is_not_let_out(
    arm: ArmOfRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The check covers it: a net that is drawn anew, and was not the one that learnt, is refused."""

    def moved(arm: ArmOfRun, *rest: Any) -> Any:
        done, folder = write(arm, *rest), rest[1]
        weights = load_file(folder / "model.safetensors")
        save_file(
            {name: one.roll(1, 0) for name, one in weights.items()}, folder / "model.safetensors", {"format": "pt"}
        )
        return done

    write = _export._write
    monkeypatch.setattr(_export, "_write", moved)
    with pytest.raises(PreceptorError, match="This is not the model that was measured"):
        export(arm, "merged", tmp_path / "out", console=QUIET)
    assert list(tmp_path.iterdir()) == []


def test_it_has_no_adapter(arm: ArmOfRun, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="the study tuned every weight of it, so there is no adapter"):
        export(arm, "adapter", tmp_path / "out", console=QUIET)


def test_it_is_served_and_verified_through_its_view(arm: ArmOfRun, preceptor: CommandLine) -> None:
    served, door = load(arm), open_door(port=0)
    app = create_app(served, hosts=door.hosts, token=None, body_seconds=60)
    with door.socket, serving(app, door, lifespan=True, limits=Limits()) as port:
        asked = ("--run", arm.root, "--task", "medication", "--arm", arm.arm, "--json")
        outcome = preceptor.run("verify", f"http://127.0.0.1:{port}/v1", *asked)
    assert outcome.code == 0, outcome.errors
    found, count = json.loads(outcome.shown), len(arm.predictions)
    assert (found["how"], found["total"], found["same"], found["same_texts"]) == ("scored labels", *[count] * 3)
    assert found["gap"] < 1e-4
