"""A study that takes seconds: a table of a few dozen patients, one label task, the tiny model."""

import csv
from pathlib import Path
from typing import Any

import yaml

TASK: dict[str, Any] = {
    "name": "urgency",
    "title": "How urgent?",
    "question": "Must this patient be seen at once?",
    "source": "made for a test",
    "fields": {"note": "What the nurse wrote"},
    "instruction": "Answer urgent or routine.",
    "prompt": "{note}",
    "cut": "note",
    "answer": {"kind": "label", "labels": {"urgent": "now", "routine": "later"}, "max_new_tokens": 6},
    "metric": "macro_f1",
    "also": ["accuracy", {"metric": "sensitivity", "labels": ["urgent"]}],
}

STUDY: dict[str, Any] = {
    "name": "tiny",
    "arms": ["base", "sft", "sft+dpo"],
    "adapter": {"rank": 4, "alpha": 8},
    "sft": {"epochs": 4, "batch_size": 8, "learning_rate": 0.01},
    "dpo": {"epochs": 1, "batch_size": 4, "learning_rate": 0.001},
    "pairs": {"limit": 12},
    "numerics": {"threads": 1, "dtype": "float32"},
    "max_length": 256,
}

_SIGNS = {
    "urgent": ["chest pain", "short of breath", "drowsy", "blood pressure 82/50"],
    "routine": ["sore throat", "wants a sick note", "ear wax", "itchy rash"],
}


def write_table(path: Path, patients: int = 60, *, wrong_every: int = 0) -> Path:
    """A CSV of `patient`, `note` and `urgency`; every fifth patient comes twice.

    With `wrong_every`, that many-th patient has the wrong label, so that nothing can be learned to perfection.
    """
    with path.open("w", encoding="utf-8", newline="") as file:
        out = csv.writer(file)
        out.writerow(["patient", "note", "urgency", "sex", "day"])
        for n in range(patients):
            label = ("urgent", "routine", "routine")[n % 3]
            said = label
            if wrong_every and n % wrong_every == 0:
                said = "routine" if label == "urgent" else "urgent"
            for visit in range(2 if n % 5 == 0 else 1):
                sign = _SIGNS[label][(n // 3 + visit) % 4]
                note = f"Visit {visit + 1}, {20 + n} years, {sign}, heart rate {60 + n}."
                out.writerow([f"P{n:03}", note, said, "FM"[n % 2], f"2024-03-{n % 28 + 1:02}"])
    return path


def write_study(folder: Path, model_folder: Path, *, task: dict[str, Any] | None = None, **changes: Any) -> Path:
    """Write table, task and study into `folder`; `changes` replace whole settings of the study."""
    folder.mkdir(parents=True, exist_ok=True)
    table = folder / "cases.csv"
    if not table.exists():
        write_table(table)
    (folder / "urgency.task.yaml").write_text(yaml.safe_dump(TASK | (task or {}), sort_keys=False))
    data = {"path": "cases.csv", "target": "urgency", "group": "patient"}
    entry = {"task": "urgency.task.yaml", "data": data}
    study = folder / "study.yaml"
    settings = {"model": str(model_folder), "tasks": [entry], **STUDY, **changes}
    study.write_text(yaml.safe_dump(settings, sort_keys=False))
    return study
