"""What is found in the cases of a study before it is run: tasks for no arm, and visits that tell the answer."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from command_line import CommandLine
from preceptor.tasks import make_cases, task_file

TEXTS: dict[str, Any] = {"task": "summarization", "data": {"cases": 40, "seed": 5}}


def write(folder: Path, model: Path, *tasks: dict[str, Any], arms: list[str]) -> Path:
    study = {"name": "checked", "model": str(model), "arms": arms, "tasks": list(tasks)}
    (folder / "study.yaml").write_text(yaml.safe_dump(study))
    return folder / "study.yaml"


def own_visits(folder: Path, told: int) -> dict[str, Any]:
    """The built-in patients as a user's table, of which the first so many have their drugs in the last visit, too."""
    task = yaml.safe_load(task_file("medication").read_text())
    (folder / "own.task.yaml").write_text(yaml.safe_dump(task | {"name": "own"}, sort_keys=False))
    rows = []
    for number, case in enumerate(make_cases("medication", 40, 5)):
        drugs = f" | M: {case.target}" if number < told else ""
        visits = case.fields["visits"] + drugs
        rows.append({**case.fields, "visits": visits, "drugs": case.target, "patient": case.group})
    (folder / "own.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return {"task": "own.task.yaml", "data": {"path": "own.jsonl", "target": "drugs", "group": "patient"}}


@pytest.mark.parametrize("told", [0, 7])
def test_visits_that_tell_what_is_asked_for_are_refused(
    tmp_path: Path, tiny_model_folder: Path, preceptor: CommandLine, told: int
) -> None:
    study = write(tmp_path, tiny_model_folder, own_visits(tmp_path, told), arms=["copy_last", "frequency"])
    checked = preceptor.run("check", study)
    assert checked.code == (2 if told else 0), checked
    assert (f"in {told} of 40 cases the last visit has a set M" in checked.errors) == bool(told)


def test_a_task_that_no_arm_can_answer_is_refused(
    tmp_path: Path, tiny_model_folder: Path, preceptor: CommandLine
) -> None:
    arms = ["copy_last", "frequency"]
    done = preceptor.run("check", write(tmp_path, tiny_model_folder, TEXTS, arms=arms))
    assert done.code == 2, done
    assert (
        "task summarization: no arm can answer it (copy_last: it gives several labels only; frequency: " in done.errors
    )
    assert preceptor.run("check", write(tmp_path, tiny_model_folder, TEXTS, arms=[*arms, "nearest"])).code == 0
