"""The front door: each command through the console script's own function."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from command_line import CommandLine
from preceptor import __version__
from preceptor.errors import PreceptorError
from preceptor.interface import running
from preceptor.tasks import builtin_tasks, task_file
from tiny_study import write_study, write_table


def test_help_reads_like_a_table_of_contents(preceptor: CommandLine) -> None:
    outcome = preceptor.run("--help")
    assert outcome.code == 0
    places = [outcome.shown.index(f"│ {name} ") for name in ("new", "check", "study", "report", "tasks", "models")]
    assert places == sorted(places)
    for name in ("new", "check", "study", "report", "tasks", "models"):
        assert preceptor.run(name, "--help").code == 0
    assert preceptor.run("--version").shown == __version__


@pytest.mark.parametrize("words", [["stduy"], ["study", "--no-such-option"], ["report"]])
def test_a_command_that_does_not_exist_is_the_users_mistake(preceptor: CommandLine, words: list[str]) -> None:
    outcome = preceptor.run(*words)
    assert outcome.code == 2
    assert "Traceback" not in outcome.errors


def test_tasks_are_listed_and_shown_to_be_copied(
    preceptor: CommandLine, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    listed = preceptor.run("tasks")
    assert listed.code == 0
    assert all(name in listed.shown for name in builtin_tasks())
    shown = preceptor.run("tasks", "triage_provider")
    assert shown.shown == " ".join(task_file("triage_provider").read_text().split())
    unknown = preceptor.run("tasks", "no_such_task")
    assert unknown.code == 2
    assert "Built in are: " in unknown.errors


def test_a_model_that_shares_nothing_is_told_and_runs(
    preceptor: CommandLine, tmp_path: Path, tiny_model_folder: Path
) -> None:
    from transformers import AutoTokenizer, GraniteConfig, GraniteForCausalLM

    folder = tmp_path / "granite"
    tokenizer = AutoTokenizer.from_pretrained(tiny_model_folder)
    tokenizer.save_pretrained(folder)
    sizes = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = GraniteConfig(vocab_size=len(tokenizer), num_key_value_heads=1, logits_scaling=4.0, **sizes)
    GraniteForCausalLM(config).save_pretrained(folder)
    study = write_study(tmp_path, folder, sft={"epochs": 1}, pairs={"limit": 4})
    outcome = preceptor.run("study", study, "--output-dir", tmp_path / "run")
    assert outcome.code == 0, outcome
    assert "nothing is shared" in outcome.shown


def test_models_tell_where_they_are(preceptor: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    listed = preceptor.run("models")
    assert listed.code == 0
    assert "smollm2-135m-instruct" in listed.shown
    assert "dequantised from Q4_1" in listed.shown
    assert "not fetched yet" in listed.shown
    assert "all-minilm-l6-v2" in listed.shown
    other = preceptor.run("models", "fetch", "minilm")
    assert other.code == 2
    assert "Fetch one of smollm2-135m-instruct, all-minilm-l6-v2, multilingual-e5-small." in other.errors
    unknown = preceptor.run("models", "fetsch")
    assert unknown.code == 2
    assert "preceptor models fetch" in unknown.errors
    study = preceptor.run("study", "quickstart", "--output-dir", tmp_path / "run")
    assert study.code == 2
    assert "it is not in the cache yet. Run `preceptor models fetch`." in study.errors


def test_another_model_takes_the_place_of_the_studys(
    preceptor: CommandLine, tmp_path: Path, tiny_model_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    study = write_study(tmp_path / "own", Path("models/not-there"), arms=["base"], name="mine")
    assert "models/not-there" in preceptor.run("check", study).errors
    (tmp_path / "models").mkdir()
    (tmp_path / "models/small").symlink_to(tiny_model_folder)  # named from here, not from beside the study file
    words = (study, "--model", "models/small")

    checked = preceptor.run("check", *words)
    assert checked.code == 0, checked
    assert f"preceptor study {study} --model models/small" in checked.shown.replace("\n", " ")
    ran = preceptor.run("study", *words)
    assert ran.code == 0, ran
    results = json.loads((tmp_path / f"runs/mine-{tiny_model_folder.name}/results.json").read_text())
    assert results["study"]["model"]["name"] == str(tiny_model_folder)
    assert results["command"] == f"preceptor study {study} --model models/small"

    assert preceptor.run("report", tmp_path / f"runs/mine-{tiny_model_folder.name}", "--with-text").code == 0
    page = (tmp_path / f"runs/mine-{tiny_model_folder.name}/report.html").read_text()
    assert "The data could not be found again" not in page


def test_what_a_study_file_says_itself_is_no_option_of_check(preceptor: CommandLine, tmp_path: Path) -> None:
    outcome = preceptor.run("check", write_study(tmp_path, tmp_path), "--target", "urgency")
    assert outcome.code == 2
    assert "--target: a study file says this itself" in outcome.errors


def table_of_ones_own(folder: Path) -> Path:
    return write_table(folder / "my cases.csv", patients=90)


@pytest.mark.slow
def test_from_a_table_to_a_report(
    preceptor: CommandLine, tmp_path: Path, tiny_model_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    table = table_of_ones_own(tmp_path)
    flags = ["--text", "note", "--target", "urgency", "--group", "patient", "--name", "mine"]
    written = preceptor.run("new", table, *flags)
    assert written.code == 0, written
    assert "preceptor check mine.study.yaml preceptor study mine.study.yaml" in written.shown
    file = tmp_path / "mine.study.yaml"
    settings = file.read_text().replace("smollm2-135m-instruct", str(tiny_model_folder))
    file.write_text(settings + "max_length: 256\nnumerics: {dtype: float32, threads: 1}\n")

    checked = preceptor.run("check", file.name)
    assert checked.code == 0, checked
    assert "mine: what was read" in checked.shown
    assert not (tmp_path / "runs").exists()

    ran = preceptor.run("study", file.name)
    assert ran.code == 0, ran
    shown = ran.shown
    assert shown.index("The whole study takes about") < shown.index("mine: SFT") < shown.index("mine: held-out results")
    assert "Report: runs/mine/report.html" in shown
    assert {path.name for path in (tmp_path / "runs/mine").iterdir()} == {
        *("study.yaml", "tasks", "preflight.json", "stages", "cells"),
        *("design.json", "results.json", "report.html", ".lock", "study_folder.json"),
    }
    resolved = yaml.safe_load((tmp_path / "runs/mine/study.yaml").read_text())
    assert resolved["sft"]["batch_size"] == 8
    assert resolved["tasks"][0]["data"]["group"] == "patient"

    page = tmp_path / "runs/mine/report.html"
    before = page.read_bytes()
    page.unlink()
    rebuilt = preceptor.run("report", "runs/mine")
    assert rebuilt.code == 0, rebuilt
    assert page.read_bytes() == before


def test_new_without_a_patient_must_be_told_that_rows_are_patients(preceptor: CommandLine, tmp_path: Path) -> None:
    table = tmp_path / "cases.csv"
    rows = "".join(f"a note about case {n} with many words in it,{('yes', 'no')[n % 2]}\n" for n in range(20))
    table.write_text("note,urgent\n" + rows)
    words: list[Any] = ["new", table, "--output-dir", tmp_path]
    refused = preceptor.run(*words)
    assert refused.code == 2
    assert "nothing says which rows are one patient's" in refused.errors
    assert preceptor.run(*words, "--group", "each row").code == 0
    again = preceptor.run(*words, "--group", "each row")
    assert again.code == 2
    assert "this file exists already" in again.errors
    assert preceptor.run(*words, "--group", "each row", "--overwrite").code == 0


def test_a_report_needs_a_finished_run(preceptor: CommandLine, tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "nothing"):
        outcome = preceptor.run("report", folder)
        assert outcome.code == 2
        assert str(folder) in outcome.errors


@pytest.mark.parametrize(
    ("end", "code", "words"),
    [
        (KeyboardInterrupt(), 130, "stopped; the same command continues from here"),
        (PreceptorError("the reference [does] not fit"), 1, "error the reference [does] not fit"),
    ],
)
def test_how_a_run_can_end(
    preceptor: CommandLine,
    tmp_path: Path,
    tiny_model_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    end: BaseException,
    code: int,
    words: str,
) -> None:
    def run_study(*_: object, **__: object) -> None:
        raise end

    monkeypatch.setattr(running, "run_study", run_study)
    outcome = preceptor.run("study", write_study(tmp_path, tiny_model_folder), "--output-dir", tmp_path / "run")
    assert (outcome.code, outcome.errors) == (code, words)
