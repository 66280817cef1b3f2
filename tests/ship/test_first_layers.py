"""Arms of a model's first layers, shown a view of the task's fields: the cut model leaves beside its head; float32."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx2
import pytest
import torch
from peft import PeftModel
from rich.console import Console
from safetensors.torch import load_file
from transformers import AutoModel, AutoModelForSequenceClassification, AutoTokenizer, ModernBertConfig

from command_line import CommandLine
from long_cases import POSITIONS, short_encoder, write_long_study
from preceptor.models import find_model
from preceptor.ship._export import _unavailable
from preceptor.ship.serving import load
from preceptor.ship.serving._api import create_app
from preceptor.study import ArmOfRun, held_out, load_study, open_arm, run_study
from preceptor.web.door import open_door
from preceptor.web.server import Limits
from ship.slot_runs import checked, lora, measured
from slow_client import serving
from tiny_model import build_tiny_encoder

HEADS: dict[str, Any] = {
    "cut": {"type": "head", "pool": "first"},
    "chunks": {"type": "head", "pool": "attention", "chunk_length": 32, "chunk_overlap": 5},
}
VIEWED = "Say how urgent:\n{note}"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, tiny_model_folder: Path) -> Path:
    """The first of two layers, with a head on what is cut and one on all in chunks. Read it, do not change it."""
    folder = tmp_path_factory.mktemp("layers")
    encoder = short_encoder(folder / "short-bert")
    entry = {
        "task": "urgency.task.yaml",
        "data": {"path": "cases.csv", "target": "urgency", "group": "patient"},
        "views": {"full": VIEWED},
    }
    study = write_long_study(
        folder / "study",
        encoder,
        patients=24,
        model=str(tiny_model_folder),  # which no arm asks
        adapter={"rank": 4},
        models={name: {"model": str(encoder), "layers": 1} for name in HEADS},
        slots={"task": lora()} | HEADS,
        stages={name: {"kind": "classify", "model": name, "train": ["task", name]} for name in HEADS},
        arms=[{"name": name, "stages": [name], "answer": "head", "view": "full"} for name in HEADS],
        primary=[[*HEADS]],
        tasks=[entry],
        classify={"epochs": 2, "batch_size": 8, "learning_rate": 0.03},
    )
    run_study(*load_study(str(study)), folder / "run", Console(quiet=True), command="preceptor study")
    return folder / "run"


@pytest.fixture(params=[*HEADS])
def arm(run: Path, request: pytest.FixtureRequest) -> ArmOfRun:
    return open_arm(run, "urgency", request.param, heads=True)


def chunks_by_hand(ids: list[int]) -> list[list[int]]:
    """The pieces of 32 tokens at most of which neighbours share 5, as the README says that they are made."""
    first, *inner, last = ids
    k = -(-(len(inner) - 5) // (30 - 5))
    total, start, found = len(inner) + (k - 1) * 5, 0, []
    for n in range(k):
        size = total // k + (n < total % k)
        found.append([first, *inner[start : start + size], last])
        start += size - 5
    return found


@torch.no_grad()
def states_by_hand(model: Any, pieces: list[list[int]]) -> torch.Tensor:
    return torch.cat([model(input_ids=torch.tensor([one])).last_hidden_state[0] for one in pieces])


@torch.no_grad()
def likely_by_hand(arm: ArmOfRun, folder: Path, model: Any) -> list[list[float]]:
    """The probability of each label of each held-out case, by nothing but the files of the export."""
    tokenizer: Any = AutoTokenizer.from_pretrained(folder)
    head, written = load_file(folder / "head.safetensors"), json.loads((folder / "head.json").read_text())
    template, found = json.loads((folder / "export.json").read_text())["view"]["template"], []
    for case in held_out(arm).shown:
        ids = tokenizer(template.replace("{note}", case.fields["note"]))["input_ids"]
        if written["pool"] == "first":
            assert len(ids) <= POSITIONS
            state = states_by_hand(model, [ids])[0]
        else:
            every = states_by_hand(model, chunks_by_hand(ids))
            state = (every @ head["query"] / every.shape[-1] ** 0.5).softmax(0) @ every
        found.append((head["weight"] @ state + head["bias"]).softmax(0).tolist())
    return found


def same(arm: ArmOfRun, likely: list[list[float]]) -> None:
    for found, one in zip(likely, arm.predictions, strict=True):
        assert found == pytest.approx(list((one.scores or {}).values()), abs=1e-5)
    assert [arm.task.labels[one.index(max(one))] for one in likely] == measured(arm)


def test_an_adapter_leaves_for_as_many_layers(arm: ArmOfRun, tmp_path: Path) -> None:
    checked(arm, "adapter", tmp_path)
    base = AutoModel.from_pretrained(arm.source.location, num_hidden_layers=1)
    same(arm, likely_by_hand(arm, tmp_path, PeftModel.from_pretrained(base, tmp_path).eval()))
    said = (tmp_path / "README.md").read_text()
    assert "`AutoModel.from_pretrained(..., num_hidden_layers=1)` loads these layers" in said
    assert json.loads((tmp_path / "export.json").read_text())["layers"] == 1


@torch.no_grad()
def test_merged_the_model_has_the_layers_that_were_measured_and_no_more(arm: ArmOfRun, tmp_path: Path) -> None:
    checked(arm, "merged", tmp_path)
    assert json.loads((tmp_path / "config.json").read_text())["num_hidden_layers"] == 1
    assert not any(".layer.1." in name for name in load_file(tmp_path / "model.safetensors"))
    if arm.arm == "chunks":
        same(arm, likely_by_hand(arm, tmp_path, AutoModel.from_pretrained(tmp_path).eval()))
        return
    model: Any = AutoModelForSequenceClassification.from_pretrained(tmp_path).eval()
    same(arm, [model(input_ids=torch.tensor([ids])).logits[0].softmax(0).tolist() for ids in held_out(arm).test])


def test_what_it_is_shown_is_told(arm: ArmOfRun, tmp_path: Path) -> None:
    checked(arm, "merged", tmp_path)
    told = json.loads((tmp_path / "export.json").read_text())["view"]
    assert told == {"template": VIEWED, "known": "before", "cut": None}
    said = (tmp_path / "README.md").read_text()
    assert (
        'the view `full` in place of the task\'s prompt, with each {field} filled in: "Say how urgent:\\n{note}"'
        in said
    )
    assert "Fields: `note`, what the nurse wrote." in said


def test_it_is_served_and_verified_through_its_view(run: Path, preceptor: CommandLine) -> None:
    arm = open_arm(run, "urgency", "chunks", heads=True)
    served, door = load(arm), open_door(port=0)
    app = create_app(served, hosts=door.hosts, token=None, body_seconds=60)
    with door.socket, serving(app, door, lifespan=True, limits=Limits()) as port:
        fields = {"fields": {"note": held_out(arm).splits.test[0].fields["note"]}}
        said = httpx2.post(f"http://127.0.0.1:{port}/v1/chat/completions", json=fields, timeout=60).json()
        asked = ("--run", run, "--task", "urgency", "--arm", arm.arm, "--json")
        outcome = preceptor.run("verify", f"http://127.0.0.1:{port}/v1", *asked)
    assert said["preceptor"]["answer"] == arm.predictions[0].answer
    assert said["preceptor"]["scores"] == pytest.approx(arm.predictions[0].scores, abs=1e-5)
    assert outcome.code == 0, outcome.errors
    found, count = json.loads(outcome.shown), len(arm.predictions)
    assert (found["how"], found["total"], found["same"], found["same_texts"]) == ("scored labels", *[count] * 3)
    assert found["gap"] < 1e-4


def test_layers_behind_which_a_class_puts_a_norm_are_refused(run: Path, tmp_path: Path) -> None:
    """ModernBERT's states are normed behind its last layer, with weights that were learnt for that one alone."""
    arm = open_arm(run, "urgency", "cut", heads=True)
    sizes: Any = {"hidden_size": 48, "intermediate_size": 96, "num_hidden_layers": 2, "num_attention_heads": 4}
    config = ModernBertConfig(**sizes, pad_token_id=0)
    source = find_model(str(build_tiny_encoder(tmp_path / "modern", config=config)))
    (said,) = map(str, _unavailable(replace(arm, source=source.first_layers(1)), "merged", None))
    assert said.startswith(f"--to merged: {arm.arm} has the first 1 layers of a model whose class norms what its last")
