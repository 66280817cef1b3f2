"""What comes from files reaches the terminal as signs: nothing turns, colours or hides what stands behind it."""

import json
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from preceptor.cli._say import say
from preceptor.data import Preflight
from preceptor.data._preflight import Counts
from preceptor.errors import InputError
from preceptor.report import show_results
from preceptor.study import make_study
from preceptor.study.results.schema import Results
from run_folders import real_run

TURNED = "\u202eevil\u2066 \u200f\u061c\x1b[31m"
_STEERS = set("\u202e\u2066\u200f\u061c\x1b")


def test_the_results_table(tmp_path: Path, tiny_source: Any, capsys: pytest.CaptureFixture[str]) -> None:
    results = json.loads((real_run(tmp_path / "run", tiny_source, seeds=(0,)) / "results.json").read_text())
    results["study"]["name"] = results["study"]["model"]["title"] = TURNED
    for conclusion in results["conclusions"]:
        conclusion["sentence"], conclusion["warnings"] = TURNED, [TURNED]
    typed = Results.model_validate_json(json.dumps(results))
    typed.study.tasks[0] = typed.study.tasks[0].model_copy(update={"name": TURNED})
    show_results(typed, Console())
    shown = capsys.readouterr().out
    assert shown.count("evil") >= 4
    assert not set(shown) & _STEERS


def test_the_table_of_the_check(capsys: pytest.CaptureFixture[str]) -> None:
    counts = {split: Counts(2, 2, {TURNED: 1, "yes": 1}) for split in ("train", "test")}
    Preflight(TURNED, (), counts, {}).render(Console())
    shown = capsys.readouterr().out
    assert "evil" in shown
    assert not set(shown) & _STEERS


def test_lines_that_are_said_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    say(f"\nReport: runs/{TURNED}")
    shown = capsys.readouterr().out
    assert shown.startswith("\nReport: runs/")
    assert not set(shown) & _STEERS


def test_a_question_that_turns_its_direction_is_refused() -> None:
    raw = {"name": "one", "tasks": [{"task": "triage_provider", "data": {"cases": 30}}], "question": f"Is it {TURNED}?"}
    with pytest.raises(InputError, match=r"question: .*turns the direction") as refused:
        make_study(raw, "study.yaml")
    assert not set(str(refused.value)) & _STEERS
