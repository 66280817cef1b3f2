"""Names that no file system takes, and addresses with line ends, end in one sentence before any work begins."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from command_line import CommandLine
from preceptor.files import write_atomic
from tiny_study import TASK, write_study

LONG = "n" * 300
SERVER = {"url": "http://127.0.0.1:9/v1\n", "model": "any"}


@pytest.fixture
def study(tmp_path: Path, tiny_model_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return write_study(tmp_path / "own", tiny_model_folder)


def refused(preceptor: CommandLine, *words: object) -> str:
    outcome = preceptor.run(*words)
    assert outcome.code == 2, outcome
    assert [path for path in Path("runs").rglob("*") if path.is_file() and path.name != ".lock"] == []
    return outcome.errors


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"name": LONG}, "name: "),
        ({"name": "\u4e8c" * 80}, "too long for files that are called by it"),
        ({"model": LONG}, "too long"),
        ({"votes": LONG, "makers": ["votes"]}, "too long"),
        ({"tasks": [{"task": LONG, "data": {"cases": 40}}]}, "too long"),
        ({"tasks": [{"task": f"{LONG}.yaml", "data": {"cases": 40}}]}, "too long"),
        ({"tasks": [{"task": "triage_provider", "data": {"path": f"{LONG}.csv", "group": "each row"}}]}, "too long"),
        ({"arms": ["base", "endpoint"], "endpoint": SERVER}, "url must look like"),
        ({"report_to": {"name": "mlflow", "url": "http://127.0.0.1:9\n/v1"}}, "url must look like"),
    ],
)
def test_what_a_study_names(study: Path, preceptor: CommandLine, settings: dict[str, Any], said: str) -> None:
    study.write_text(yaml.safe_dump(yaml.safe_load(study.read_text()) | settings))
    for command in ("check", "study"):
        assert said in refused(preceptor, command, study)


def test_the_name_of_a_task(study: Path, preceptor: CommandLine) -> None:
    (study.parent / "urgency.task.yaml").write_text(yaml.safe_dump(TASK | {"name": "u" * 240}))
    said = refused(preceptor, "study", study)
    assert re.search(r"urgency\.task\.yaml, line \d+, name: ", said)
    assert "too long" in said


@pytest.mark.parametrize(
    "words",
    [
        ["check", LONG],
        ["study", "own/study.yaml", "--model", LONG],
        ["study", "own/study.yaml", "--output-dir", LONG],
        ["report", LONG],
        ["compare", LONG, LONG],
        ["purge", LONG, "--yes"],
        ["new", f"{LONG}.csv"],
        ["new", "own/cases.csv", "--name", LONG, "--text", "note", "--target", "urgency", "--group", "patient"],
        ["convert", LONG, "b.jsonl"],
        ["serve", LONG, "--task", "urgency", "--arm", "sft"],
    ],
)
def test_what_a_command_names(study: Path, preceptor: CommandLine, words: list[str]) -> None:
    said = refused(preceptor, *words)
    assert LONG in said
    assert "interrupted" not in said


def test_every_name_that_a_folder_takes_can_be_written(tmp_path: Path) -> None:
    for name in ("n" * 255, "\u4e8c" * 85):
        write_atomic(tmp_path / name, "text")
        assert (tmp_path / name).read_text() == "text"
