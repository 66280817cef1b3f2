"""What fails and concerns one arm on one task costs that cell alone: the others are finished, and it is said why."""

import csv
import json
from pathlib import Path
from typing import Any

import yaml

from command_line import CommandLine
from tiny_study import STUDY, TASK, write_study, write_table

ENTRY: dict[str, Any] = {
    "task": "urgency.task.yaml",
    "data": {"path": "cases.csv", "target": "urgency", "group": "patient"},
}
DIVERGING = {"sft": {**STUDY["sft"], "learning_rate": 1e6}}
ARMS = ["base", "sft", "sft+dpo", "sft+sft", "tfidf"]


def write_three(folder: Path, model_folder: Path, *, mended: bool = False, **changes: Any) -> Path:
    """A study of three tasks: a sound one, one that diverges, and one whose data bring no pair of two answers."""
    folder.mkdir(parents=True, exist_ok=True)
    table = write_table(folder / "cases.csv", patients=100)
    with table.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    with (folder / "texts.csv").open("w", encoding="utf-8", newline="") as file:
        out = csv.DictWriter(file, [*rows[0], "wrong"])
        out.writeheader()
        out.writerows(row | {"wrong": "no idea" if mended else row["urgency"]} for row in rows)
    diverging = TASK | {"name": "diverging"}
    text = {**TASK, "name": "letter", "answer": {"kind": "text", "max_new_tokens": 4}, "metric": "rouge_l", "also": []}
    for task in (diverging, text):
        (folder / f"{task['name']}.task.yaml").write_text(yaml.safe_dump(task, sort_keys=False))
    letter = {"path": "texts.csv", "target": "urgency", "group": "patient", "rejected": "wrong"}
    tasks = [
        {**ENTRY, "task": "diverging.task.yaml", **({} if mended else DIVERGING)},
        {**ENTRY, "task": "letter.task.yaml", "data": letter},
        ENTRY,
    ]
    return write_study(folder, model_folder, **{"tasks": tasks, "arms": ARMS, "name": "three", **changes})


def test_x(preceptor: CommandLine, tmp_path: Path, tiny_model_folder: Path) -> None:
    study = write_three(tmp_path, tiny_model_folder)
    ended = preceptor.run("study", study, "--output-dir", tmp_path / "run")
    print(ended.code, ended.shown, ended.errors)
    results = json.loads((tmp_path / "run" / "results.json").read_text())
    print(json.dumps(results["failed"], indent=1))
    print(json.dumps(results["not_compared"], indent=1))
    print(json.dumps(results["conclusions"], indent=1))
    assert 0
