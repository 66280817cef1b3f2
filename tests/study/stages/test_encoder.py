"""The encoder as a control: beside TF-IDF, and left out with a line where its model is not. In float32."""

from pathlib import Path
from typing import Any

import pytest

import study_runs
from command_line import CommandLine
from concluded import TASK, cell, contrast
from preceptor.study.results.cell_schema import Cell
from preceptor.study.results.conclusions import conclusions
from preceptor.study.results.task_schema import TaskPart
from preceptor.study.spec.arms import contrasts_about, resolve
from study_runs import Run
from tiny_study import STUDY, write_study

ARMS = ("base", "sft", "encoder", "tfidf")
FEW: dict[str, Any] = {"arms": [*ARMS], "sft": STUDY["sft"] | {"epochs": 1}, "encoder": {"epochs": 2}}


@pytest.fixture
def nothing_fetched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A user's cache without any model."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory, tiny_model_folder: Path, tiny_encoder_folder: Path) -> Run:
    folder = tmp_path_factory.mktemp("with-control")
    return study_runs.run(
        folder, tiny_model_folder, folder / "run", **FEW, models={"encoder": str(tiny_encoder_folder)}, adapter="none"
    )


def test_it_answers_and_every_other_arm_is_compared_with_it(done: Run) -> None:
    assert [one["arm"] for one in done.results["cells"]] == [*ARMS]
    assert done.results["left_out"] == []
    assert done.results["study"]["models"]["encoder"]["title"] == "tiny-bert"
    compared = {(one["a"], one["b"]): one["family"] for one in done.results["contrasts"]}
    assert compared["sft", "encoder"] == compared["sft", "tfidf"] == "gatekeeping"
    assert compared["encoder", "tfidf"] == "secondary"
    assert ("encoder", "base") not in compared


def test_its_adapter_is_its_own_though_the_study_tunes_every_weight(done: Run) -> None:
    (found,) = [one for one in done.results["cells"] if one["arm"] == "encoder"]
    assert found["learning"]["encoder"].keys() == {"default", "head"}
    assert (done.folder / found["policy"] / "adapter").is_dir()


@pytest.mark.usefixtures("nothing_fetched")
def test_without_its_model_it_is_left_out_with_a_line_everywhere_and_nothing_fails(
    tmp_path: Path, tiny_model_folder: Path, preceptor: CommandLine
) -> None:
    study, run = write_study(tmp_path / "study", tiny_model_folder, **FEW), tmp_path / "run"
    why = "the model all-minilm-l6-v2 is not on this machine; `preceptor models fetch all-minilm-l6-v2` fetches it"
    checked = preceptor.run("check", study)
    assert checked.code == 0
    assert f"arms: encoder: it is left out: {why}" in checked.shown + checked.errors
    planned = preceptor.run("plan", study, "--devices", 1, "--memory-gib", 80, "--tflops", 100)
    assert planned.code == 0
    assert f"the arm encoder is left out: {why}" in planned.shown
    ended = preceptor.run("study", study, "--output-dir", run)
    assert ended.code == 0
    assert f"The arm encoder is left out for urgency: {why}." in ended.shown + ended.errors
    assert f"Encoder is left out of urgency: {why}." in ended.shown
    page = (run / "report.html").read_text()
    assert "What was left out" in page
    assert "preceptor models fetch all-minilm-l6-v2" in page


def resolved(*names: str) -> Any:
    return resolve(names, {})


@pytest.mark.parametrize("arms", [("encoder", "sft", "base"), ("base", "sft", "encoder")])
def test_a_study_is_not_about_its_control(arms: tuple[str, ...]) -> None:
    assert contrasts_about(resolved(*arms)) == (("sft", "base"),)


@pytest.mark.parametrize(("verdict", "simpler"), [("worse", True), ("inconclusive", False), ("better", False)])
def test_a_better_encoder_is_a_simpler_way_that_is_better(verdict: str, simpler: bool) -> None:
    arms = resolved("base", "sft", "encoder", "tfidf")
    values = {"base": 0.2, "sft": 0.5, "encoder": 0.7, "tfidf": 0.4}
    cells: list[Cell] = [cell(arm, value=value) for arm, value in values.items()]
    found = [
        contrast("sft", "base", "better"),
        contrast("sft", "tfidf", "better"),
        contrast("sft", "encoder", verdict, -0.2 if verdict == "worse" else 0.2),
    ]
    (one,) = conclusions(found, cells, [TaskPart.model_validate(TASK)], arms)
    assert (one.conclusion == "simpler_is_better") == simpler
    assert ("Encoder is simpler and better than SFT" in one.sentence) == simpler
    if verdict == "inconclusive":
        assert "SFT is not shown to be better than Encoder." in one.warnings
        assert one.recommendation == "do not deploy"
        assert "it is not shown to be better than Encoder" in one.reason
