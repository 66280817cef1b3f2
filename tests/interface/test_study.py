"""A study from Python says, plans and trains what the commands do: it is the same code on the same files."""

import json
from pathlib import Path
from typing import Any

import pytest

from command_line import CommandLine
from preceptor import Results, Study
from preceptor.errors import InputError
from preceptor.study import machine, plan_study, read_planned
from tiny_study import write_study

DTYPE = {"threads": 1, "dtype": "float32"}
"""The number format of these tests."""


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory, tiny_model_folder: Path) -> Path:
    sft = {"epochs": 2, "batch_size": 8, "learning_rate": 0.01}
    folder = tmp_path_factory.mktemp("study")
    return write_study(folder, tiny_model_folder, arms=["base", "sft"], sft=sft, numerics=DTYPE)


def said(shown: str) -> list[str]:
    """Its words, without the lines of tables."""
    return [word for word in shown.split() if word.isascii()]


def test_a_study_that_cannot_be_read_is_refused(tmp_path: Path, file: Path) -> None:
    with pytest.raises(InputError, match="there is no such study file"):
        Study.load(tmp_path / "none.yaml")
    (tmp_path / "wrong.yaml").write_text(file.read_text() + "epochs: 3\nseed: 1\n")
    with pytest.raises(InputError) as refused:
        Study.load(tmp_path / "wrong.yaml")
    assert len(refused.value.problems) == 2


def test_a_built_in_study_has_a_name() -> None:
    study = Study.load("quickstart")
    assert study.settings.name == study.what == "quickstart"
    assert repr(study) == "Study(what='quickstart', model=None, given=())"


def test_a_setting_in_place_of_the_files(file: Path) -> None:
    study = Study.load(file).set("sft.epochs", 3).set("arms", ["base", "sft", "sft+dpo"])
    assert study.settings.block("sft").epochs == 3
    assert study.settings.arm_names == ("base", "sft", "sft+dpo")
    assert study.settings == Study.load(file, given=study.given).settings
    with pytest.raises(InputError, match=r"--set sft\.epoch"):
        study.set("sft.epoch", 3)


def test_another_model(tiny_model_folder: Path, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tiny_model_folder.parent)
    assert Study.load(file, model=tiny_model_folder.name).settings.model == str(tiny_model_folder)


def test_a_check_says_what_the_command_says(file: Path, preceptor: CommandLine) -> None:
    found = Study.load(file).check()
    assert found.ready
    assert found.problems == []
    (task,) = found.tasks
    assert task.counts["train"].cases + task.counts["validation"].cases + task.counts["test"].cases == 72
    outcome = preceptor.run("check", file)
    assert said(str(found))[:-3] == said(outcome.shown)[: -len(["Ready:", "preceptor", "study", "FILE"])]
    assert str(found).endswith("Ready to train.")


def test_findings_are_returned_and_not_raised(tmp_path: Path, tiny_model_folder: Path, preceptor: CommandLine) -> None:
    data = {"path": "cases.csv", "target": "urgency", "group": "patients"}
    entries = [{"task": "urgency.task.yaml", "data": data}]
    file = write_study(tmp_path, tiny_model_folder, tasks=entries, max_length=99_999)
    found = Study.load(file).check()
    assert not found.ready
    assert len(found.problems) == 2
    outcome = preceptor.run("check", file)
    assert outcome.code == 2
    for problem in found.problems:
        assert " ".join(str(problem).split()) in outcome.errors
        assert str(problem) in str(found)
    with pytest.raises(InputError) as refused:
        Study.load(file).run(tmp_path / "run")
    assert refused.value.problems == found.problems


def test_a_plan_is_the_one_of_the_command(file: Path) -> None:
    study = Study.load(file)
    plan = study.plan(devices=2, memory_gib=80, tflops=400)
    same = plan_study(read_planned(study.settings, study.folder), machine(2, 80, 400))
    assert [need.what for need in plan.needs] == [need.what for need in same.needs]
    assert plan.seconds == same.seconds
    with pytest.raises(InputError, match="--memory-gib"):
        study.plan(tflops=400)


def test_a_run_is_the_run_of_the_command(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, preceptor: CommandLine
) -> None:
    monkeypatch.chdir(tmp_path)
    results = Study.load(file).run()
    assert results.folder == Path("runs/tiny")
    assert results.report.is_file()
    first = json.loads(Path("runs/tiny/results.json").read_text())
    outcome = preceptor.run("study", file)
    assert outcome.code == 0
    assert "Everything was trained and answered already" in outcome.shown
    again = json.loads(Path("runs/tiny/results.json").read_text())
    assert without_time(again) == without_time(first)
    assert said(str(results)) == said(str(Results.load("runs/tiny")))
    assert " ".join(said(str(results))) in " ".join(said(outcome.shown))


def without_time(results: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in results.items() if name != "created"}
