"""What is said of a GGUF file, whose readers write text, where the study measured how the text agrees with labels."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from command_line import CommandLine
from preceptor.errors import PreceptorError
from preceptor.ship import export
from preceptor.study import open_arm

QUIET = Console(quiet=True)
Measured = Callable[[Any], Path]


@pytest.fixture
def measured(shipped_run: Path, tmp_path: Path) -> Measured:
    """A copy of the run whose SFT arm has these figures of its free text."""

    def copy(form: Any) -> Path:
        run = Path(shutil.copytree(shipped_run.parent, tmp_path / "copy")) / shipped_run.name
        (note,) = run.glob("cells/*/*/sft/seed-0/cell.json")
        note.write_text(json.dumps(json.loads(note.read_text()) | {"form": form}))
        return run

    return copy


def to_gguf(preceptor: CommandLine, run: Path, out: Path) -> Any:
    return preceptor.run("export", run, "--task", "urgency", "--arm", "sft", "--to", "gguf", "--output-dir", out)


def test_agreement_of_95_percent_is_said_and_written(
    measured: Measured, tmp_path: Path, preceptor: CommandLine
) -> None:
    run = measured({"cases": 40, "readable": 0.975, "agreement": 0.95})
    outcome = to_gguf(preceptor, run, tmp_path / "out")
    assert outcome.code == 0, outcome.errors
    said = "of 40 texts on validation cases 38 agreed with the label of the highest score, and 39 were an answer at all"
    assert said in outcome.shown


def test_less_ends_with_1_and_writes_nothing_and_other_forms_may_be_written(
    measured: Measured, tmp_path: Path, preceptor: CommandLine
) -> None:
    run = measured({"cases": 64, "readable": 1.0, "agreement": 60 / 64})
    outcome = to_gguf(preceptor, run, tmp_path / "out")
    assert outcome.code == 1
    assert "of 64 texts on validation cases 60 agreed" in outcome.errors
    assert "below 95%" in outcome.errors
    assert "preceptor serve" in outcome.errors
    assert not (tmp_path / "out").exists()
    assert export(open_arm(run, "urgency", "sft"), "adapter", tmp_path / "out", console=QUIET).free_text is None


def test_without_the_figure_it_is_as_it_was(measured: Measured, tmp_path: Path) -> None:
    arm = open_arm(measured(None), "urgency", "sft")
    assert export(arm, "gguf", tmp_path / "out", console=QUIET).free_text is None


def test_it_is_refused_before_the_model_is_loaded(
    measured: Measured, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("preceptor.ship._export.merged", None)
    arm = open_arm(measured({"cases": 64, "readable": 0.5, "agreement": 0.5}), "urgency", "sft")
    with pytest.raises(PreceptorError, match="64 texts on validation cases 32 agreed"):
        export(arm, "gguf", tmp_path / "out", console=QUIET)
