"""A study with a tracker is the study without one; what the tracker was told is in the results and nothing else."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from command_line import CommandLine
from preceptor.study.results.schema import Results
from preceptor.study.results.tracked import tell_results
from preceptor.study.run.folder import RunFolder
from study_runs import Run, run
from tiny_study import write_study


@pytest.fixture(scope="module")
def followed(tmp_path_factory: pytest.TempPathFactory, tiny_model_folder: Path) -> Run:
    folder = tmp_path_factory.mktemp("followed")
    return run(folder, tiny_model_folder, folder / "run", report_to="tensorboard")


def events(run: Run) -> Iterator[tuple[str, dict[str, float], dict[str, str]]]:
    """Each run of the tracker: its name, the last of its figures, and its texts."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    home = run.folder / "trackers" / "tensorboard"
    for folder in sorted({file.parent for file in home.rglob("events.*")}):
        read = EventAccumulator(str(folder))
        read.Reload()
        figures = {tag: read.Scalars(tag)[-1].value for tag in read.Tags()["scalars"]}
        texts = {
            tag.removesuffix("/text_summary"): read.Tensors(tag)[0].tensor_proto.string_val[0].decode()
            for tag in read.Tags()["tensors"]
        }
        yield folder.relative_to(home).as_posix(), figures, texts


def test_a_tracker_changes_no_stage_and_no_answer(followed: Run, tmp_path: Path, tiny_model_folder: Path) -> None:
    silent = run(tmp_path, tiny_model_folder, tmp_path / "run")
    assert silent.stages() == followed.stages()
    answers = [
        {file.parent.parent.name: file.read_bytes() for file in one.folder.glob("cells/**/predictions.jsonl")}
        for one in (silent, followed)
    ]
    assert answers[0] == answers[1]
    assert len(answers[0]) == 3
    assert [cell["value"] for cell in silent.results["cells"]] == [cell["value"] for cell in followed.results["cells"]]
    assert not (silent.folder / "trackers").exists()


def test_a_run_that_was_begun_without_a_tracker_goes_on_with_one(
    followed: Run, tmp_path: Path, tiny_model_folder: Path
) -> None:
    begun = run(tmp_path, tiny_model_folder, tmp_path / "run", arms=["base", "sft"])
    kept = {file: file.stat().st_mtime_ns for file in begun.folder.glob("stages/*/ledger.json")}
    run(tmp_path, tiny_model_folder, tmp_path / "run", report_to="tensorboard")
    assert all(file.stat().st_mtime_ns == then for file, then in kept.items())
    told = [name for name, _, _ in events(begun)]
    assert [name.split("/")[1] for name in told if name.startswith("urgency")] == ["DPO"]  # SFT was there before


def test_every_stage_every_arm_and_the_verdict_are_told(followed: Run) -> None:
    told = {name: (figures, texts) for name, figures, texts in events(followed)}
    stages = [name for name in told if not name.startswith(("results/", "verdict"))]
    assert sorted(name.split("/")[:3] for name in stages) == [
        ["urgency", "DPO", "seed-0"],
        ["urgency", "SFT", "seed-0"],
    ]
    dpo = next(told[name][0] for name in stages if "/DPO/" in name)
    assert {"train/loss", "train/rewards/margins", "train/rewards/accuracies", "eval/loss"} <= set(dpo)
    for cell in followed.results["cells"]:
        figures, _ = told[f"results/urgency/{cell['arm']}/seed-0"]
        assert figures["macro_f1"] == pytest.approx(cell["value"])
        for name in ("seconds", "flops", "optimizer_steps", "tokens_computed"):
            assert figures[f"cost/{name}"] == pytest.approx(cell["cost"][name])
    (conclusion,) = followed.results["conclusions"]
    texts = told["verdict"][1]
    assert conclusion["sentence"] in texts["urgency/verdict"]
    assert len(texts) == 1 + len(followed.results["contrasts"])


def test_no_case_and_no_id_is_told(followed: Run) -> None:
    files = [file.read_bytes() for file in (followed.folder / "trackers").rglob("*") if file.is_file()]
    table = (followed.study_file.parent / "cases.csv").read_text().splitlines()[1:]
    for line in table:
        patient, note = line.split(",", 1)[0].encode(), line.split('"')[1].encode()
        assert not any(patient in told or note in told for told in files)


def test_a_tracker_that_is_not_there_is_named_before_training(
    tmp_path: Path, tiny_model_folder: Path, preceptor: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_MLFLOW_LOG_ARTIFACTS", "TRUE")
    study = write_study(tmp_path, tiny_model_folder, report_to={"name": "mlflow", "url": "http://127.0.0.1:9"})
    checked = preceptor.run("check", study)
    assert checked.code == 2
    assert "HF_MLFLOW_LOG_ARTIFACTS" in checked.errors
    assert "no MLflow server answers" in checked.errors
    away = write_study(tmp_path, tiny_model_folder, report_to={"name": "mlflow", "url": "http://logs.example"})
    refused = preceptor.run("check", away)
    assert refused.code == 2
    assert re.search(r"study.yaml, line \d+, report_to: url is on another machine, logs.example", refused.errors)
    assert "allow_host: logs.example" in refused.errors


_WITHOUT = """
import json, sys
from preceptor.cli import main
sys.argv = ["preceptor", *sys.argv[1:]]
try:
    main()
except SystemExit as end:
    assert not end.code, end
names = ("tensorboard", "torch.utils.tensorboard", "mlflow", "wandb")
print(json.dumps([name for name in names if name in sys.modules]))
"""


@pytest.mark.slow
def test_off_means_that_no_tracker_is_imported(tmp_path: Path, tiny_model_folder: Path) -> None:
    study = write_study(tmp_path, tiny_model_folder, arms=["base", "sft"], report_to="none")
    words = [sys.executable, "-c", _WITHOUT, "study", str(study), "--output-dir", str(tmp_path / "run")]
    done = subprocess.run(words, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == []


def test_what_failed_is_told_with_its_reason(followed: Run, tmp_path: Path) -> None:
    cell = {"task": "urgency", "model": "tiny", "arm": "sft+dpo", "seed": 1, "stage": "DPO"}
    failed = [cell | {"reason": "there is not enough memory", "fix": "Take a larger machine."}]
    elsewhere = RunFolder(tmp_path / "run")
    study = followed.study
    results = Results.model_validate_json(json.dumps(followed.results | {"cells": [], "failed": failed}))
    tell_results(study, elsewhere, results)
    told = {
        name: text for _, _, texts in events(replace(followed, folder=elsewhere.root)) for name, text in texts.items()
    }
    (said,) = [text for name, text in told.items() if "failed" in name]
    assert said == "DPO: there is not enough memory. Take a larger machine."
