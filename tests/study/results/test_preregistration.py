"""What was decided before the first prediction counts; what is decided after one is kept beside it and exploratory."""

import json
from pathlib import Path
from typing import Any

import pytest

import labels_study
from preceptor.errors import InputError
from preceptor.study.results.preregistration import freeze
from preceptor.study.results.schema import Design
from preceptor.study.run.folder import RunFolder
from prepared_study import DATA, prepare_tiny


@pytest.fixture
def frozen(tmp_path: Path, tiny_tokenizer: Any) -> Any:
    (tmp_path / "run").mkdir()

    def frozen(**changes: Any) -> Design:
        study, one = prepare_tiny(tmp_path, tiny_tokenizer, patients=60, **changes)
        return freeze(RunFolder(tmp_path / "run"), study, [one])

    return frozen


def predict(folder: Path) -> None:
    cell = folder / "run" / "cells" / "urgency" / "tiny" / "base" / "seed-0"
    cell.mkdir(parents=True)
    (cell / "predictions.part.jsonl").write_text('{"key": "x"}\n')


def kept(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "run").glob("design*.json"))


def test_a_design_is_kept_with_its_time_and_found_again(tmp_path: Path, frozen: Any) -> None:
    first = frozen()
    told = json.loads((tmp_path / "run" / "design.json").read_text())
    assert (told["sha256"], told["frozen"]) == (first.sha256, first.frozen)
    assert told["design"]["primary"] == [["sft+dpo", "sft"]]
    assert told["design"]["dangerous"] == {"urgency": ["urgent"]}
    predict(tmp_path)
    (tmp_path / "run" / "design.json").write_text(json.dumps(told | {"frozen": "2020-01-01T00:00:00+00:00"}))
    again = frozen()
    assert (again.sha256, again.frozen, again.changed) == (first.sha256, "2020-01-01T00:00:00+00:00", False)


def test_before_any_prediction_a_design_may_change(tmp_path: Path, frozen: Any) -> None:
    first = frozen()
    second = frozen(seeds=[0, 1])
    assert second.sha256 != first.sha256
    assert not second.changed
    assert kept(tmp_path) == ["design.json"]


def test_after_a_prediction_another_design_is_kept_beside_the_first(tmp_path: Path, frozen: Any) -> None:
    frozen()
    predict(tmp_path)
    assert frozen(primary=[["sft", "base"]]).changed
    assert frozen(arms=["base", "sft"]).changed
    assert kept(tmp_path) == ["design-2.json", "design-3.json", "design.json"]
    assert frozen(primary=[["sft", "base"]]).changed, "found again, and still decided too late"
    assert not frozen().changed, "the first design holds, whatever was tried since"
    assert len(kept(tmp_path)) == 3


def test_a_folder_that_was_predicted_in_before_designs_were_kept_is_exploratory(tmp_path: Path, frozen: Any) -> None:
    predict(tmp_path)
    assert frozen().changed
    assert frozen().changed


def test_a_sensitivity_margin_is_part_of_the_design_only_where_it_is_named(frozen: Any) -> None:
    """So a design that was frozen before there was such a margin is found again."""

    def entry(**more: float) -> list[dict[str, Any]]:
        return [{"task": "urgency.task.yaml", "data": DATA, "limit": {}, **more}]

    usual = frozen().sha256
    assert frozen(tasks=entry(sensitivity_margin=0.1)).sha256 == usual
    assert frozen(tasks=entry(sensitivity_margin=0.05)).sha256 != usual


def test_training_settings_are_no_part_of_the_design(frozen: Any) -> None:
    assert frozen().sha256 == frozen(sft={"epochs": 9}, question="Why?").sha256


@pytest.mark.parametrize("text", ["{", "[]", '{"sha256": "x"}'])
def test_a_design_that_cannot_be_read_is_named(tmp_path: Path, frozen: Any, text: str) -> None:
    (tmp_path / "run" / "design.json").write_text(text)
    with pytest.raises(InputError, match=r"design\.json: the design this study began with cannot be read"):
        frozen()


def test_the_list_of_labels_of_which_a_case_has_several_is_fixed(tmp_path: Path, tiny_tokenizer: Any) -> None:
    """LEADER trap 11: labels are the task file's; another list after a prediction is another design."""
    (tmp_path / "run").mkdir()
    labels_study.write_table(tmp_path / "several.csv", patients=60)
    entry = {"task": "urgency.task.yaml", "data": DATA | {"path": "several.csv"}}

    def frozen(**more: str) -> Design:
        answer = labels_study.TASK["answer"]
        task = labels_study.TASK | {"answer": answer | {"labels": answer["labels"] | more}}
        study, one = prepare_tiny(tmp_path, tiny_tokenizer, patients=60, task=task, tasks=[entry])
        return freeze(RunFolder(tmp_path / "run"), study, [one])

    first = frozen()
    predict(tmp_path)
    design = json.loads((tmp_path / "run" / "design.json").read_text())["design"]
    assert design["label_lists"] == {"urgency": ["asthma", "heart failure", "fever"]}
    assert (frozen().changed, frozen(gout="Gout").changed) == (False, True)
    assert frozen().sha256 == first.sha256
