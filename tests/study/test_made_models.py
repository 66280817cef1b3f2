"""A small net as an arm: made from the study file, trained, found again, resumed after a kill, planned and purged."""

import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import small_nets
import test_resume
from command_line import CommandLine
from html_page import Page
from preceptor.report import write_report
from preceptor.report._methods import methods
from preceptor.report._run import read_run
from preceptor.study import load_study, machine, plan_study, read_planned
from preceptor.tasks import make_cases, read_visits

ARM = {"name": "student", "stages": ["student"], "answer": "head", "view": "codes"}
STUDY: dict[str, Any] = {
    "name": "visits",
    "arms": ["frequency", ARM],
    "models": {"small": {"family": "codes", "width": 16}},
    "stages": {"student": {"kind": "classify", "model": "small", "epochs": 5, "learning_rate": 0.02, "batch_size": 16}},
    "tasks": [
        {
            "task": "medication",
            "data": {"cases": 120, "seed": 5},
            "views": {"codes": {"template": "{visits}", "cut": "visits"}},
        }
    ],
    "max_length": 1024,
    "numerics": {"dtype": "bfloat16", "threads": 1},
}


write = partial(small_nets.write, STUDY)


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory, tiny_model_folder: Path) -> Path:
    folder = tmp_path_factory.mktemp("made")
    small_nets.run(write(folder, tiny_model_folder), folder / "run")
    write_report(folder / "run")
    return folder / "run"


def cells(run: Path) -> dict[str, dict[str, Any]]:
    return {one["arm"]: one for one in json.loads((run / "results.json").read_text())["cells"]}


@pytest.mark.slow_recipe
def test_it_learns_more_than_what_is_frequent_and_its_use_is_measured(done: Path) -> None:
    student, frequent = cells(done)["student"], cells(done)["frequency"]
    assert student["value"] > frequent["value"] + 0.05
    assert student["cost"]["flops"] > 0
    assert student["learning"]["classify"].keys() == {"backbone", "head"}
    assert 0 < student["use"]["model_bytes"] < 1_000_000
    assert "small (codes, 16 wide)" in Page((done / "report.html").read_text()).text


def test_methods_say_that_the_whole_net_learned_and_that_nothing_was_written(done: Path) -> None:
    """No adapter, no prompt alike for all arms, no token: none of these has a part in such a study."""
    text = " ".join(methods(read_run(done)))
    assert "trained together with the net small, from scratch, to give its label" in text
    assert "in backbone and" in text
    assert "Every arm answered the same held-out cases. " in text
    for wrong in ("LoRA", "likeliest token", "same prompts"):
        assert wrong not in text, wrong


def test_what_it_knows_is_of_training_cases(done: Path) -> None:
    """Trap 11: codes of the vocabulary, all of them and no others."""
    tokens = json.loads((done / "models" / "small" / "tokenizer.json").read_text())["model"]["vocab"]
    split = json.loads((done / "preflight.json").read_text())["medication"]["split"]
    shown = {
        code
        for case in make_cases("medication", 120, 5)
        if case.id in split["train"]
        for visit in read_visits(case.fields["visits"])
        for codes in visit.values()
        for code in codes
    }
    assert {one for one in tokens if not one.endswith((" ", "\n", "]"))} == shown


def test_done_again_it_is_found(done: Path, tiny_model_folder: Path) -> None:
    def keys() -> dict[str, int]:
        return {one.parent.name: one.stat().st_mtime_ns for one in done.glob("stages/*/ledger.json")}

    before = keys()
    small_nets.run(write(done.parent, tiny_model_folder), done)
    assert keys() == before


def test_it_is_planned_and_checked(tmp_path: Path, tiny_model_folder: Path, preceptor: CommandLine) -> None:
    study = write(tmp_path, tiny_model_folder)
    plan = plan_study(read_planned(*load_study(str(study))), machine(None, None, None), timed=False)
    training, answers = (next(one for one in plan.needs if what in one.what) for what in ("Classifier", "of student"))
    assert 0 < answers.flops < training.flops
    checked = preceptor.run("check", study)
    assert checked.code == 0, checked
    assert "stand in no training case" in " ".join(checked.shown.split())


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"models": {"small": {"family": "codes", "depth": 2}}}, "models.small.depth: there is no such setting"),
        ({"models": {"small": {"family": "codes", "layers": 1}}}, "models.small.layers: there is no such setting"),
        ({"models": {"small": {"family": "dreams"}}}, "models.small.family"),
        ({"models": {"small": {"model": "all-minilm-l6-v2", "width": 16}}}, "models.small.width: there is no such"),
        ({"models": {"small": 3}}, "models.small"),
        ({"slots": {"parts": {"type": "head", "pool": "snippet_mean"}}}, "snippets are for encoders"),
        ({"stages": {"short": {"kind": "senses", "model": "small"}, "student": STUDY["stages"]["student"]},
          "arms": [{**ARM, "stages": ["short", "student"]}]}, "stage short: it learns from texts"),
        ({"tasks": [*STUDY["tasks"], {"task": "specialty", "data": {"cases": 40}}]}, "one task"),
        ({"arms": ["frequency", {**ARM, "view": None}]}, "no sets of codes"),
        ({"arms": [ARM, {**ARM, "name": "blind", "view": None}]}, "the task's prompt has no sets of codes"),
        ({"arms": [{**ARM, "stages": ["written"], "answer": "generate"}],
          "stages": {"written": {"kind": "sft", "model": "small"}}}, "writes text"),
    ],
)  # fmt: skip
def test_what_cannot_be_made_is_refused(
    tmp_path: Path, tiny_model_folder: Path, preceptor: CommandLine, changes: dict[str, Any], said: str
) -> None:
    checked = preceptor.run("check", write(tmp_path, tiny_model_folder, **changes))
    assert checked.code == 2, checked
    assert said in checked.errors


@pytest.mark.slow_recipe
def test_killed_while_it_trains_it_ends_with_the_same_bytes(tmp_path: Path, tiny_model_folder: Path) -> None:
    study = write(tmp_path, tiny_model_folder)
    patterns = ("cells/**/predictions.jsonl", "stages/*/model/*", "stages/*/slots/*/*", "models/small/*")
    moments = (test_resume.in_sft, test_resume.saving)
    test_resume.killed_and_alone(study, tmp_path, moments, patterns)


def test_purged_nothing_of_what_it_knew_is_left(done: Path, preceptor: CommandLine) -> None:
    purged = preceptor.run("purge", done, "--yes")
    assert purged.code == 0, purged
    assert not list(done.glob("models/**/*.json"))
    assert "small nets" in purged.shown
