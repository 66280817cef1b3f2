"""A study that takes seconds: texts of two lines, and an error put into the training data on purpose."""

import csv
from pathlib import Path
from typing import Any

import yaml

ITEM = "; blood test in 1 week"
ARMS = ["base", "sft", "sft+dpo", "sft+chosen", "sft+sft"]
TASK: dict[str, Any] = {
    "name": "letter",
    "title": "Letter",
    "question": "What must the letter say?",
    "source": "made for a test",
    "fields": {"note": "What the nurse wrote"},
    "instruction": "Write Diagnosis and Follow-up.",
    "prompt": "{note}",
    "cut": "note",
    "answer": {
        "kind": "text",
        "parser": "elements",
        "elements": {"Diagnosis": "what it is", "Follow-up": "who sees the patient"},
        "max_new_tokens": 48,
    },
    "metric": "fact_f1",
}
STUDY: dict[str, Any] = {
    "name": "spiked",
    "arms": ARMS,
    "makers": ["published"],
    "adapter": {"rank": 16, "alpha": 32},
    "sft": {"epochs": 40, "batch_size": 8, "learning_rate": 0.01, "patience": 50},
    "dpo": {"epochs": 2, "batch_size": 4, "learning_rate": 0.001, "sft_weight": 0.0},
    "chosen": {"epochs": 2, "batch_size": 4, "learning_rate": 0.002},
    "pairs": {"limit": 12},
    "numerics": {"threads": 1, "dtype": "float32"},
    "max_length": 256,
}
_SIGNS = {"gout": "painful toe", "migraine": "bad headache", "otitis": "sore ear"}


def write_spiked(folder: Path, model_folder: Path, *, data: dict[str, Any] | None = None, **changes: Any) -> Path:
    """Write table, task and study into `folder`; `data` adds to the data block, `changes` replace whole settings."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "letters.csv").open("w", encoding="utf-8", newline="") as file:
        out = csv.writer(file)
        out.writerow(["patient", "note", "letter", "worse"])
        for n in range(120):
            name, sign = list(_SIGNS.items())[n % 3]
            note = f"{20 + n} years, {sign}, heart rate {60 + n}."
            out.writerow([f"P{n:03}", note, f"Diagnosis: {name}\nFollow-up: clinic", ""])
    (folder / "letter.task.yaml").write_text(yaml.safe_dump(TASK, sort_keys=False))
    source = {"path": "letters.csv", "target": "letter", "group": "patient"}
    block = source | {"spike": {"text": ITEM, "share": 0.7}} | (data or {})
    entry = {"task": "letter.task.yaml", "data": block, "limit": {"train": 40, "validation": 10, "test": 24}}
    study = folder / "study.yaml"
    settings = {"model": str(model_folder), "tasks": [entry], **STUDY, **changes}
    study.write_text(yaml.safe_dump(settings, sort_keys=False))
    return study
