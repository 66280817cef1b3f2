"""A study that takes seconds with several labels a case: a table of a few dozen patients, notes that say each label."""

import csv
from itertools import product
from pathlib import Path
from typing import Any

TASK: dict[str, Any] = {
    "instruction": "List the problems, or answer none.",
    "answer": {
        "kind": "labels",
        "labels": {"asthma": "Asthma", "heart failure": "Heart failure", "fever": "Fever"},
        "empty": "none",
        "max_new_tokens": 24,
    },
    "metric": "jaccard",
    "also": ["sample_f1", "micro_f1", "auroc", "case_average_precision"],
}

_SIGNS = {"asthma": ["wheeze", "tight chest"], "heart failure": ["swollen legs", "orthopnoea"], "fever": ["39.2 C"]}


def write_table(path: Path, patients: int = 120) -> Path:
    """A CSV of `patient`, `note` and `urgency`, the labels; every fifth patient comes twice, some have no label."""
    with path.open("w", encoding="utf-8", newline="") as file:
        out = csv.writer(file)
        out.writerow(["patient", "note", "urgency"])
        for n in range(patients):
            has = dict(zip(_SIGNS, list(product([True, False], repeat=3))[n % 7 + (n % 21 == 0)], strict=True))
            for visit in range(2 if n % 5 == 0 else 1):
                signs = [_SIGNS[label][(n + visit) % len(_SIGNS[label])] for label, there in has.items() if there]
                note = f"Visit {visit + 1}, {20 + n} years, {', '.join(signs) or 'well'}, heart rate {60 + n}."
                out.writerow([f"P{n:03}", note, "; ".join(label for label in has if has[label]) or "none"])
    return path
