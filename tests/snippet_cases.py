"""A tiny study of notes in snippets: one of four snippets around a term tells the label, and is the gold evidence."""

import csv
import random
from pathlib import Path
from typing import Any

from tiny_study import write_study

_WORDS = ("fever", "catheter", "urine", "pressure", "hours", "output", "creatinine", "blood", "since", "with")
_SIGN = {"urgent": "warfarin", "routine": "amoxicillin"}
MENTIONS = 4
_VIEWED: dict[str, Any] = {
    "data": {"path": "cases.csv", "target": "urgency", "group": "patient"},
    "task": "urgency.task.yaml",
    "fields": {
        "around": {"snippets": "note", "terms": ["dose"], "words": 3},
        "anywhere": {"random_snippets": "note", "as_many_as": "around"},
    },
    "views": {"snippets": "{around}", "random": "{anywhere}"},
}
SNIPPET_TASK = {"fields": {"note": "What was written", "proof": "What decides"}, "evidence": "proof", "also": []}


def write_notes(path: Path, patients: int = 60) -> None:
    """Every fifth patient comes twice."""
    drawn = random.Random(0)
    with path.open("w", encoding="utf-8", newline="") as file:
        out = csv.writer(file)
        out.writerow(["patient", "note", "proof", "urgency"])
        for n in range(patients):
            label = ("urgent", "routine")[n % 2]
            for _ in range(2 if n % 5 == 0 else 1):
                said = [" ".join(["dose", *drawn.choices(_WORDS, k=2)]) for _ in range(MENTIONS - 1)]
                proof = f"dose {_SIGN[label]} {_SIGN[label]}"
                said.insert(drawn.randrange(MENTIONS), proof)
                parts = [part for one in said for part in (one, " ".join(drawn.choices(_WORDS, k=10)))]
                out.writerow([f"P{n:03}", " ".join(parts), proof, label])


def write_snippet_study(folder: Path, encoder: Path, **changes: Any) -> Path:
    """Arms `weighed`, `averaged` and `random` on snippets, and word counts of them; every weight learns with a head."""
    folder.mkdir(parents=True, exist_ok=True)
    write_notes(folder / "cases.csv")
    arms = [
        {"name": name, "stages": [stage], "answer": "head", "view": view}
        for name, stage, view in (
            ("weighed", "attended", "snippets"),
            ("averaged", "meant", "snippets"),
            ("random", "attended", "random"),
        )
    ]
    settings: dict[str, Any] = {
        "slots": {
            "by_weight": {"type": "head", "pool": "snippet_attention"},
            "alike": {"type": "head", "pool": "snippet_mean"},
        },
        "stages": {
            "attended": {"kind": "classify", "train": ["by_weight"]},
            "meant": {"kind": "classify", "train": ["alike"]},
        },
        "arms": [*arms, {"name": "words", "answer": "tfidf", "view": "snippets"}],
        "primary": [["weighed", "random"]],
        "adapter": "none",
        "classify": {"epochs": 6, "patience": 6, "batch_size": 8, "learning_rate": 0.003},
        "max_length": 128,
        "tasks": [_VIEWED],
    }
    return write_study(folder, encoder, task=SNIPPET_TASK, **settings | changes)
