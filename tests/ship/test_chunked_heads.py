"""A head that reads chunks: exported beside its model with how they are made, served, verified; tiny BERT, float32."""

import json
from math import ceil
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel
from rich.console import Console
from safetensors.torch import load_file
from transformers import AutoModel, AutoTokenizer

from command_line import CommandLine
from long_cases import POSITIONS, short_encoder, write_long_study
from preceptor.ship.serving import load
from preceptor.ship.serving._api import create_app
from preceptor.study import ArmOfRun, held_out, load_study, open_arm, run_study
from preceptor.web.door import open_door
from preceptor.web.server import Limits
from ship.slot_runs import checked, lora, measured
from slow_client import serving


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two heads on an adapter each time, of all tokens and of the first. Read it, do not change it."""
    folder = tmp_path_factory.mktemp("chunked")
    heads = {
        "attending": {"type": "head", "pool": "attention", "chunk_length": 32, "chunk_overlap": 5},
        "first": {"type": "head", "pool": "first", "chunk_length": POSITIONS},
    }
    study = write_long_study(
        folder / "study",
        short_encoder(folder / "short-bert"),
        patients=24,
        adapter={"rank": 4},
        models={},
        slots={"task": lora()} | heads,
        stages={name: {"kind": "classify", "train": ["task", name]} for name in heads},
        arms=[*heads],
        primary=[[*heads]],
        classify={"epochs": 1, "batch_size": 8, "learning_rate": 0.03},
    )
    run_study(*load_study(str(study)), folder / "run", Console(quiet=True), command="preceptor study")
    return folder / "run"


def pieces_by_hand(text: list[int], length: int, shared: int) -> list[list[int]]:
    """The chunks as the export's README says that they are made."""
    first, *inner, last = text
    if len(text) <= length:
        return [text]
    k = ceil((len(inner) - shared) / (length - 2 - shared))
    total, start, found = len(inner) + (k - 1) * shared, 0, []
    for n in range(k):
        size = total // k + (n < total % k)
        found.append([first, *inner[start : start + size], last])
        start += size - shared
    return found


@torch.no_grad()
def by_hand(arm: ArmOfRun, folder: Path, model: Any) -> list[list[float]]:
    """The probability of each label of each held-out case, by nothing but the files of the export."""
    tokenizer: Any = AutoTokenizer.from_pretrained(folder)
    head, written = load_file(folder / "head.safetensors"), json.loads((folder / "head.json").read_text())
    found = []
    for example in held_out(arm).shown:
        text = tokenizer(arm.task.messages(example)[-1]["content"])["input_ids"]
        assert len(text) > POSITIONS
        pieces = pieces_by_hand(text, written["chunk_length"], written["chunk_overlap"])
        states = [model(input_ids=torch.tensor([one])).last_hidden_state[0] for one in pieces]
        if written["pool"] == "attention":
            every = torch.cat(states)
            state = (every @ head["query"] / every.shape[-1] ** 0.5).softmax(0) @ every
        else:
            state = torch.stack([one[0] for one in states]).mean(0)
        found.append((head["weight"] @ state + head["bias"]).softmax(0).tolist())
    return found


@pytest.mark.parametrize("name", ["attending", "first"])
def test_a_head_leaves_beside_its_model_and_says_how_chunks_are_made(run: Path, tmp_path: Path, name: str) -> None:
    arm = open_arm(run, "urgency", name, heads=True)
    checked(arm, "adapter", tmp_path / "adapter")
    length, shared = (32, 5) if name == "attending" else (POSITIONS, POSITIONS // 8)
    why = f"BertForSequenceClassification reads a case in one piece, and this head in chunks of {length} tokens"
    assert why in str(checked(arm, "merged", tmp_path / "merged").head_beside)
    adapted = PeftModel.from_pretrained(AutoModel.from_pretrained(arm.source.location), tmp_path / "adapter")
    for folder, model in (("adapter", adapted), ("merged", AutoModel.from_pretrained(tmp_path / "merged"))):
        written = json.loads((tmp_path / folder / "head.json").read_text())
        assert (written["chunk_length"], written["chunk_overlap"]) == (length, shared)
        likely = by_hand(arm, tmp_path / folder, model.eval())
        for found, one in zip(likely, arm.predictions, strict=True):
            assert found == pytest.approx(list((one.scores or {}).values()), abs=1e-5)
        assert [arm.task.labels[one.index(max(one))] for one in likely] == measured(arm)
        said = (tmp_path / folder / "README.md").read_text()
        assert f"A text of more than {length} tokens (`chunk_length` in `head.json`) is read in chunks" in said
        assert f"k = ceil((n - {shared}) / {length - 2 - shared}) pieces, of which neighbours share {shared}" in said


def test_it_is_served_and_verified(run: Path, preceptor: CommandLine) -> None:
    arm = open_arm(run, "urgency", "attending", heads=True)
    served, door = load(arm), open_door(port=0)
    app = create_app(served, hosts=door.hosts, token=None, body_seconds=60)
    with door.socket, serving(app, door, lifespan=True, limits=Limits()) as port:
        asked = ("--run", run, "--task", "urgency", "--arm", arm.arm, "--json")
        outcome = preceptor.run("verify", f"http://127.0.0.1:{port}/v1", *asked)
    assert outcome.code == 0, outcome.errors
    found, count = json.loads(outcome.shown), len(arm.predictions)
    assert (found["how"], found["total"], found["same"], found["same_texts"]) == ("scored labels", *[count] * 3)
    assert found["gap"] < 1e-4
