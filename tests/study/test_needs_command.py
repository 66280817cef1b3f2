"""`preceptor plan`, as its user meets it."""

from pathlib import Path

from command_line import CommandLine
from tiny_study import write_study


def test_it_says_what_a_study_needs_and_trains_nothing(
    tmp_path: Path, tiny_model_folder: Path, preceptor: CommandLine, no_network: None
) -> None:
    study = write_study(tmp_path, tiny_model_folder)
    before = sorted(tmp_path.rglob("*"))
    said = preceptor.run("plan", str(study))
    assert said.code == 0
    assert "It fits" in said.shown
    assert "answers of sft+dpo" in said.shown
    assert sorted(tmp_path.rglob("*")) == before


def test_it_says_what_would_help(tmp_path: Path, tiny_model_folder: Path, preceptor: CommandLine) -> None:
    study = write_study(tmp_path, tiny_model_folder)
    said = preceptor.run("plan", str(study), "--devices", "2", "--memory-gib", "1", "--tflops", "100")
    assert said.code == 0
    assert "2 accelerators, 1 GiB each and 100 TFLOP/s" in said.shown


def test_a_machine_half_described(tmp_path: Path, tiny_model_folder: Path, preceptor: CommandLine) -> None:
    study = write_study(tmp_path, tiny_model_folder)
    said = preceptor.run("plan", str(study), "--devices", "2")
    assert said.code == 2
    assert "--memory-gib" in said.errors
