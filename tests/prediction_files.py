"""Files of predictions, made up: two arms, whose answers to the same cases differ on some."""

import json
import random
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

Rows = list[dict[str, Any]]

LABELS = ("urgent", "routine", "elective")


def write_rows(path: Path, rows: Iterable[Mapping[str, Any]]) -> Path:
    """JSON lines."""
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def label_rows(
    right: float, *, patients: int = 60, cases: Sequence[int] = (1,), labels: Sequence[str] = LABELS, seed: int = 0
) -> Rows:
    """Answers of an arm that is right so often; patient p has `cases[p % len(cases)]` cases."""
    rng, rows = random.Random(seed), []
    for patient in range(patients):
        for visit in range(cases[patient % len(cases)]):
            gold = labels[(patient + visit) % len(labels)]
            answer = gold if rng.random() < right else rng.choice([one for one in labels if one != gold])
            rows.append({"id": f"c{patient}-{visit}", "patient": f"P{patient}", "gold": gold, "answer": answer})
    return rows


def score_rows(mean: float, *, patients: int = 60, seed: int = 0) -> Rows:
    """Scores of texts, between 0 and 1, that vary about a mean."""
    rng = random.Random(seed)
    scores = [min(1.0, max(0.0, rng.gauss(mean, 0.1))) for _ in range(patients)]
    return [{"id": f"c{n}", "patient": f"P{n}", "score": score} for n, score in enumerate(scores)]
