"""Heads that read snippets: exported beside the model with how snippets are made; tiny random BERT, float32."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import torch
from peft import PeftModel
from rich.console import Console
from safetensors.torch import load_file
from transformers import AutoModel, AutoTokenizer

from command_line import CommandLine
from long_cases import short_encoder
from preceptor.engine import Numerics
from preceptor.errors import InputError, PreceptorError
from preceptor.models import HEAD, ModelSource, SlotSettings, load_tokenizer, save_policy, start_policy
from preceptor.ship import _export, export
from preceptor.ship.serving._chat_request import ChatRequest
from preceptor.ship.serving._prompt_reader import Reader
from preceptor.study import ArmOfRun, held_out, load_study, open_arm, run_study
from preceptor.study.spec.file import make_study
from preceptor.tasks import load_task
from ship.slot_runs import QUIET, checked, lora, measured
from snippet_cases import write_snippet_study
from snippets_by_hand import snippets_by_hand

POOLS = {"weighed": "snippet_attention", "averaged": "snippet_mean"}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, tiny_model_folder: Path) -> Path:
    """Heads of snippets on an adapter of one layer. Read it, do not change it."""
    folder = tmp_path_factory.mktemp("snippets")
    encoder = short_encoder(folder / "short-bert")
    study = write_snippet_study(
        folder / "study",
        encoder,
        model=str(tiny_model_folder),  # which no arm asks
        max_length=1024,
        adapter={"rank": 4},
        models={"one": {"model": str(encoder), "layers": 1}},
        slots={"task": lora()} | {name: {"type": "head", "pool": pool} for name, pool in POOLS.items()},
        stages={name: {"kind": "classify", "model": "one", "train": ["task", name]} for name in POOLS},
        arms=[{"name": name, "stages": [name], "answer": "head", "view": "snippets"} for name in POOLS],
        primary=[["weighed", "averaged"]],
        classify={"epochs": 1, "batch_size": 8, "learning_rate": 0.02},
    )
    run_study(*load_study(str(study)), folder / "run", Console(quiet=True), command="preceptor study")
    return folder / "run"


@pytest.fixture(params=POOLS)
def arm(run: Path, request: pytest.FixtureRequest) -> ArmOfRun:
    return open_arm(run, "urgency", request.param, heads=True, makes=True)


@torch.no_grad()
def likely_by_hand(arm: ArmOfRun, folder: Path, model: Any) -> list[list[float]]:
    """The probability of each label of each held-out case, from its note, by nothing but the files of the export."""
    tokenizer: Any = AutoTokenizer.from_pretrained(folder)
    head, written = load_file(folder / "head.safetensors"), json.loads((folder / "head.json").read_text())
    found = []
    for case in held_out(arm).splits.test:
        pieces = [tokenizer(one)["input_ids"] for one in snippets_by_hand(case.fields["note"], written["made"])]
        assert len(pieces) > 1
        h = torch.stack([model(input_ids=torch.tensor([one])).last_hidden_state[0].mean(0) for one in pieces])
        state = h.mean(0)
        if written["pool"] == "snippet_attention":
            state = (torch.tanh(h @ head["inner"].T) @ head["query"]).softmax(0) @ h
        found.append((head["weight"] @ state + head["bias"]).softmax(0).tolist())
    return found


def test_a_head_leaves_beside_its_model_and_says_how_snippets_are_made(arm: ArmOfRun, tmp_path: Path) -> None:
    checked(arm, "adapter", tmp_path / "adapter")
    assert f"the pool of this head is {POOLS[arm.arm]}" in str(checked(arm, "merged", tmp_path / "merged").head_beside)
    base = AutoModel.from_pretrained(arm.source.location, num_hidden_layers=1)
    adapted = PeftModel.from_pretrained(base, tmp_path / "adapter")
    for folder, model in (("adapter", adapted), ("merged", AutoModel.from_pretrained(tmp_path / "merged"))):
        likely = likely_by_hand(arm, tmp_path / folder, model.eval())
        for found, one in zip(likely, arm.predictions, strict=True):
            assert found == pytest.approx(list((one.scores or {}).values()), abs=1e-5)
        assert [arm.task.labels[one.index(max(one))] for one in likely] == measured(arm)
        made = json.loads((tmp_path / folder / "head.json").read_text())["made"]
        assert made | {"how": ""} == {
            "field": "around", "maker": "snippets", "of": "note", "terms": [[r"(?<!\w)(?:dose)(?!\w)"]],
            "words": 3, "most": 8, "how": "",
        }  # fmt: skip
        said = (tmp_path / folder / "README.md").read_text()
        assert (
            f"made of the field `note`, with `terms`, `words` and `most` of `made` in `head.json`: {made['how']}"
            in said
        )
        assert ("weighed by `softmax(tanh(h @ inner.T) @ query)`" in said) == (arm.arm == "weighed")


def test_an_export_that_makes_other_snippets_is_not_let_out(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The check makes them of the note, as the export says, and does not take those of the study."""

    def moved(arm: ArmOfRun, folder: Path) -> None:
        write_head(arm, folder)
        file = folder / "head.json"
        told = json.loads(file.read_text())
        file.write_text(json.dumps(told | {"made": told["made"] | {"terms": [["fever"]]}}))

    write_head = _export.write_head
    monkeypatch.setattr(_export, "write_head", moved)
    with pytest.raises(PreceptorError, match="This is not the model that was measured"):
        export(open_arm(run, "urgency", "weighed", heads=True, makes=True), "adapter", tmp_path / "out", console=QUIET)
    assert list(tmp_path.iterdir()) == []


def test_the_command_takes_it_out_and_it_is_not_served(run: Path, tmp_path: Path, preceptor: CommandLine) -> None:
    with pytest.raises(
        InputError, match="weighed is shown around, a field that the study made: no case from elsewhere"
    ):
        open_arm(run, "urgency", "weighed", heads=True)
    names = ("--task", "urgency", "--arm", "weighed")
    taken = preceptor.run("export", run, *names, "--to", "merged", "--output-dir", tmp_path / "out")
    assert taken.code == 0, taken.errors

    assert "labels and their probabilities are those of the study" in taken.shown


def untrained(source: ModelSource, folder: Path, pool: str, view: str | None) -> ArmOfRun:
    """An arm of a study that was not run, with a new head on an adapter."""
    slots = {"head": SlotSettings(type=HEAD, outputs=4, pool=pool), "one": SlotSettings(type="LORA", r=4)}
    save_policy(start_policy(source, None, slots, list(slots), seed=0, dtype=torch.float32), folder)
    entry = {
        "task": "long_note", "data": {"cases": 30}, "views": {"parts": "{around}"},
        "fields": {"around": {"snippets": "note", "terms": ["smokes"]}},
    }  # fmt: skip
    arm = {"name": "read", "stages": ["classify"], "answer": "head", "view": view}
    study = make_study({"name": "snippets", "arms": [arm], "adapter": "none", "tasks": [entry]}, "test")
    run = cast("Any", SimpleNamespace(study=study, entry=lambda _: study.tasks[0]))
    return ArmOfRun(run, load_task("long_note"), "read", 0, source, Numerics(threads=1), folder, Path())


@pytest.mark.parametrize(
    ("pool", "view", "said"),
    [
        ("snippet_mean", None, "the head of read reads snippets, and the arm is shown none that the study made"),
        ("mean", "parts", "read reads around, which the study made, as one text"),
    ],
)
def test_heads_and_views_that_do_not_go_together_are_refused_by_name(
    encoder_source: ModelSource, tmp_path: Path, pool: str, view: str | None, said: str
) -> None:
    arm = untrained(encoder_source, tmp_path, pool, view)
    for to in ("adapter", "merged"):
        (problem,) = map(str, _export._unavailable(arm, cast("Any", to), load_tokenizer(encoder_source)))
        assert problem.startswith(f"--to {to}: {said}")


def test_a_request_cannot_part_its_text_in_snippets(encoder_source: ModelSource) -> None:
    task, tokenizer = load_task("long_note"), load_tokenizer(encoder_source)
    reader = Reader(task, tokenizer, 512, by_head=True)
    for said, same in (("a\x1eb", "a b"),):
        turns = [
            [{"role": "system", "content": task.instruction}, {"role": "user", "content": one}] for one in (said, same)
        ]
        found = [reader.read(ChatRequest.model_validate({"messages": some})) for some in turns]
        assert found[0].ids == found[1].ids
        fields = [ChatRequest.model_validate({"messages": [], "fields": {"note": one}}) for one in (said, same)]
        assert reader.read(fields[0]).ids == reader.read(fields[1]).ids
