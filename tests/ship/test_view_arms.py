"""Arms with a view: those of the task's own fields leave and say what they are shown, others are refused; float32."""

import json
from pathlib import Path

import pytest
from rich.console import Console

from preceptor.errors import InputError
from preceptor.ship.serving import load
from preceptor.study import held_out, load_study, open_arm, run_study
from ship.slot_runs import checked
from tiny_study import write_study, write_table

SHOWN = {"name": "shown", "answer": "generate", "view": "later"}
MADE = {"name": "made", "answer": "generate", "view": "words"}
ENTRY = {
    "task": "urgency.task.yaml",
    "data": {"path": "cases.csv", "target": "urgency", "group": "patient"},
    "fields": {"some": {"random_words": "note", "count": 5}},
    "views": {"later": {"template": "Discharged on {day}: {note}", "known": "after"}, "words": "{some} of {note}"},
}
FIELDS = {"fields": {"note": "What the nurse wrote", "day": "Day of the visit", "sex": "F or M"}}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, tiny_model_folder: Path) -> Path:
    """The untouched model, by three prompts. Read it, do not change it."""
    folder = tmp_path_factory.mktemp("views")
    (folder / "study").mkdir()
    write_table(folder / "study" / "cases.csv", patients=30)
    arms = ["base", SHOWN, MADE]
    study = write_study(folder / "study", tiny_model_folder, task=FIELDS, arms=arms, primary=[], tasks=[ENTRY])
    run_study(*load_study(str(study)), folder / "run", Console(quiet=True), command="preceptor study")
    return folder / "run"


def test_a_view_of_the_tasks_fields_leaves_and_is_told(run: Path, tmp_path: Path) -> None:
    arm = open_arm(run, "urgency", "shown")
    assert [one.scores for one in arm.predictions] != [
        one.scores for one in open_arm(run, "urgency", "base").predictions
    ]
    checked(arm, "merged", tmp_path)
    said, told = (tmp_path / "README.md").read_text(), json.loads((tmp_path / "export.json").read_text())
    assert told["view"] == ENTRY["views"]["later"] | {"cut": None}  # type: ignore[index]
    assert 'with each {field} filled in: "Discharged on {day}: {note}"' in said
    assert "Fields: `day`, day of the visit; `note`, what the nurse wrote." in said
    assert "written only when the decision was made (`known: after`)" in said


def test_it_is_asked_for_the_fields_of_its_view_alone(run: Path) -> None:
    arm = open_arm(run, "urgency", "shown")
    assert arm.task.shown_fields == load(arm).reader.task.shown_fields == ["day", "note"]
    assert arm.task.cut == "note"


def test_held_out_cases_are_read_as_the_view_shows_them(run: Path) -> None:
    prompts = {name: held_out(open_arm(run, "urgency", name)).test for name in ("base", "shown")}
    assert all(len(some) < len(more) for some, more in zip(*prompts.values(), strict=True))


def test_a_view_of_a_made_field_is_refused_by_name(run: Path) -> None:
    with pytest.raises(InputError, match="made is shown some, a field that the study made: no case from elsewhere has"):
        open_arm(run, "urgency", "made")
    with pytest.raises(InputError, match="no case from elsewhere has it, and its maker cannot say how it is made"):
        open_arm(run, "urgency", "made", makes=True)


def test_the_models_own_prompt_is_told_of_no_view(run: Path, tmp_path: Path) -> None:
    checked(open_arm(run, "urgency", "base"), "merged", tmp_path)
    assert "view" not in json.loads((tmp_path / "export.json").read_text())
    assert "in place of the task's prompt" not in (tmp_path / "README.md").read_text()
