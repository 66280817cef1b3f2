"""A stage is computed once for all that share it, and anew when anything it depends on has changed."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from preceptor.files import read_jsonl
from preceptor.study.stages._pair_cases import sample_indices
from study_runs import Run, run
from tiny_model import build_tiny_model
from tiny_study import TASK

SHORT: dict[str, Any] = {
    "sft": {"epochs": 1, "batch_size": 16, "learning_rate": 0.01},
    "dpo": {"epochs": 1, "batch_size": 8, "learning_rate": 0.001},
    "pairs": {"limit": 6},
}
ALL = {"sft", "pairs", "dpo"}


def write_split(path: Path, cases: range, word: str = "case") -> None:
    rows = [f"P{n},{word} {n},{('urgent', 'routine')[n % 2]}" for n in cases]
    path.write_text("patient,note,urgency\n" + "\n".join(rows) + "\n")


def entry(**changes: Any) -> dict[str, Any]:
    path = {split: f"{split}.csv" for split in ("train", "validation", "test")}
    data = {"path": path, "target": "urgency", "group": "patient"}
    return {"task": "urgency.task.yaml", "data": data, **changes}


@pytest.fixture(scope="module")
def finished_once(tmp_path_factory: pytest.TempPathFactory, tiny_model_folder: Path) -> Run:
    folder = tmp_path_factory.mktemp("finished")
    write_split(folder / "train.csv", range(16))
    write_split(folder / "validation.csv", range(20, 24))
    write_split(folder / "test.csv", range(30, 38))
    return run(folder, tiny_model_folder, folder / "run", **SHORT, tasks=[entry()])


@pytest.fixture
def finished(finished_once: Run, tmp_path: Path) -> Run:
    """A finished study that reads one file a split; a copy that a test may change."""
    folder = Path(shutil.copytree(finished_once.study_file.parent, tmp_path / "study"))
    return replace(finished_once, study_file=folder / "study.yaml", folder=folder / "run")


def redone(finished: Run, **changes: Any) -> set[str]:
    """The kinds of stage that were computed anew for the study with `changes`."""
    before = finished.stages()
    after = finished.again(**{**SHORT, "tasks": [entry()], **changes}).stages()
    assert all(len(after[kind] - before[kind]) <= 1 for kind in ALL)
    return {kind for kind in ALL if after[kind] - before[kind]}


def test_arms_share_one_sft_and_each_stage_stands_alone(finished: Run) -> None:
    assert {kind: len(keys) for kind, keys in finished.stages().items()} == {"sft": 1, "pairs": 1, "dpo": 1}
    costs = {cell["arm"]: cell["cost"] for cell in finished.results["cells"]}
    assert costs["base"]["flops"] == 0
    assert 0 < costs["sft"]["flops"] < costs["sft+dpo"]["flops"]
    (sft,), (dpo,) = finished.stages()["sft"], finished.stages()["dpo"]
    for key in (sft, dpo):
        assert (finished.folder / "stages" / key / "adapter" / "adapter_model.safetensors").is_file()
        assert not (finished.folder / "stages" / key / "checkpoints").exists()


def test_nothing_is_computed_twice(finished: Run) -> None:
    written = {path: path.stat().st_mtime_ns for path in finished.folder.glob("[sc]*/**/*") if path.is_file()}
    assert redone(finished) == set()
    assert {path: path.stat().st_mtime_ns for path in written} == written


@pytest.mark.slow
@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"sft": {**SHORT["sft"], "learning_rate": 0.02}}, ALL),
        ({"tasks": [entry(sft={**SHORT["sft"], "learning_rate": 0.02})]}, ALL),
        ({"dpo": {**SHORT["dpo"], "beta": 0.2}}, {"dpo"}),
        ({"pairs": {"limit": 5}}, {"pairs", "dpo"}),
        ({"seeds": [1]}, ALL),
        ({"adapter": {"rank": 2, "alpha": 8}}, ALL),
        ({"numerics": {"dtype": "float32", "threads": 1, "tokens_per_tree": 512}}, ALL),
        ({"max_length": 300}, set()),
        ({"name": "renamed", "question": "Why?"}, set()),
    ],
)
def test_a_changed_setting_redoes_what_depends_on_it(
    finished: Run, changes: dict[str, Any], expected: set[str]
) -> None:
    assert redone(finished, **changes) == expected


def test_a_damaged_reference_is_computed_anew(finished: Run) -> None:
    (reference,) = finished.folder.glob("references/*.json")
    whole = json.loads(reference.read_text())
    reference.write_text("{")
    assert redone(finished, dpo={**SHORT["dpo"], "beta": 0.2}) == {"dpo"}
    assert json.loads(reference.read_text())["logprobs"] == whole["logprobs"]


def test_changed_training_data_redo_everything_and_test_data_nothing(finished: Run) -> None:
    folder = finished.study_file.parent
    predictions = finished.folder / "cells/urgency/tiny/sft/seed-0/predictions.jsonl"
    write_split(folder / "test.csv", range(30, 42))
    assert redone(finished) == set()
    assert len(read_jsonl(predictions)) == 12
    write_split(folder / "train.csv", range(16), word="patient")
    assert redone(finished) == ALL


def test_another_model_redoes_everything(finished: Run, tmp_path: Path) -> None:
    other = build_tiny_model(tmp_path / "elsewhere" / "tiny", seed=1)
    before = {path: path.read_bytes() for path in finished.folder.glob("cells/**/cell.json")}
    assert redone(finished, model=str(other)) == ALL
    assert all(path.read_bytes() != content for path, content in before.items())


def test_another_task_leaves_the_first_ones_stages(finished: Run) -> None:
    other = finished.study_file.parent / "other.task.yaml"
    other.write_text(yaml.safe_dump({**TASK, "name": "other", "instruction": "Say urgent or routine."}))
    before = finished.stages()
    assert redone(finished, tasks=[entry(), {**entry(), "task": "other.task.yaml"}]) == ALL
    assert all(before[kind] < finished.stages()[kind] for kind in ALL)


def test_another_precision_trains_anew_and_labels_of_the_untouched_model_are_the_same(finished: Run) -> None:
    notes = [finished.folder / f"cells/urgency/tiny/{arm}/seed-0/cell.json" for arm in ("base", "sft")]
    before = [json.loads(note.read_text())["key"] for note in notes]
    assert redone(finished, numerics={"threads": 1, "dtype": "bfloat16"}) == ALL
    base, sft = (json.loads(note.read_text())["key"] == key for note, key in zip(notes, before, strict=True))
    assert base, "labels are scored in float32 by every study"
    assert not sft


def test_answers_of_a_run_killed_between_its_two_last_files_are_not_taken_for_anothers(finished: Run) -> None:
    folder = finished.folder / "cells/urgency/tiny/sft/seed-0"
    answers = (folder / "predictions.jsonl").read_bytes()
    (folder / "cell.json").unlink()  # where a kill leaves it: predictions renamed, their name not yet written
    (folder / "predictions.jsonl").write_text("")
    assert redone(finished) == set()
    assert (folder / "predictions.jsonl").read_bytes() == answers


def test_a_task_that_gives_no_pair_is_named_and_its_other_arms_are_finished(finished: Run) -> None:
    text = {**TASK, "answer": {"kind": "text", "max_new_tokens": 1}, "metric": "rouge_l", "also": []}
    (finished.study_file.parent / "text.task.yaml").write_text(yaml.safe_dump({**text, "name": "text"}))
    done = finished.again(**SHORT, tasks=[{**entry(), "task": "text.task.yaml"}], max_length=256)
    (failed,) = done.results["failed"]
    assert (failed["task"], failed["arm"], failed["stage"]) == ("text", "sft+dpo", "DPO")
    assert failed["reason"].startswith("task text: the maker made no usable pair of any training case")
    assert failed["fix"].startswith("Name another maker in `makers`")
    assert "max_length" not in failed["fix"]
    assert [cell["arm"] for cell in done.results["cells"]] == ["base", "sft"]


@pytest.mark.parametrize("limit", [None, 10, 11])
def test_without_a_limit_every_case_gets_a_pair(limit: int | None) -> None:
    assert sample_indices(10, limit, seed=0) == list(range(10))


def test_a_limit_draws_cases_by_seed_from_the_whole_file() -> None:
    some = sample_indices(1000, 50, seed=3)
    assert some == sorted(set(some))
    assert len(some) == 50
    assert some == sample_indices(1000, 50, seed=3) != sample_indices(1000, 50, seed=4)
    assert max(some) > 900
    assert min(some) < 100
