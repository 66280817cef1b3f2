"""Entries of results.json, made by hand, from which conclusions are drawn."""

from typing import Any

from preceptor.study.results.cell_schema import Cell
from preceptor.study.results.conclusion_schema import Conclusion, CouldHaveSeen
from preceptor.study.results.conclusions import conclusions
from preceptor.study.results.contrast_schema import Contrast
from preceptor.study.results.task_schema import TaskPart
from preceptor.study.spec.arms import resolve

ARMS = resolve(("base", "base+shots", "sft", "sft+dpo", "sft+sft", "tfidf", "endpoint"), {})
LABELS = ["urgent", "soon", "routine"]
TASK: dict[str, Any] = {
    "name": "triage", "title": "Triage", "metric": "macro_f1", "labels": LABELS, "looks": 1, "margin": 0.05,
    "counts": {"train": 400, "validation": 40, "test": 120, "groups_test": 120},
}  # fmt: skip
GOOD = [[30, 5, 5, 0], [4, 32, 4, 0], [3, 4, 33, 0]]
ONE_ANSWER = [[0, 0, 40, 0], [0, 0, 40, 0], [0, 0, 40, 0]]


def contrast(a: str, b: str, verdict: str, delta: float = 0.1, **changes: Any) -> Contrast:
    """A contrast whose interval fits its verdict."""
    width = 0.2 if verdict == "inconclusive" else 0.04 if verdict == "equivalent" else 0.8 * abs(delta)
    middle = 0.0 if verdict in ("equivalent", "inconclusive") else delta
    found = {
        "task": "triage", "model": "tiny", "metric": "macro_f1", "family": "primary", "a": a, "b": b, "delta": middle,
        "ci": (middle - width, middle + width), "ci_90": (middle - 0.8 * width, middle + 0.8 * width), "n": 120,
        "p": 0.01, "p_adjusted": 0.02, "test": "exact McNemar", "sentence": "",
        "patients": 120, "differing": 40, "seeds": [{"seed": 0, "delta": middle}], "margin": 0.05, "verdict": verdict,
        "less_than_matters": False, "below_margin": verdict in ("equivalent", "worse"), "descriptive": None,
        "counts": {"both_right": 80, "only_a": 12, "only_b": 3, "neither": 25}, "dangerous": None,
        "price_ratio": 1.2, "needed": 410 if verdict == "inconclusive" else None,
    }  # fmt: skip
    return Contrast.model_validate(found | changes)


def cell(arm: str, **changes: Any) -> Cell:
    found = {
        "task": "triage", "model": "tiny", "arm": arm, "seed": 0, "metric": "macro_f1", "value": 0.8, "n": 120,
        "invalid_rate": 0.0, "cost": {}, "predictions": {"path": "predictions.jsonl", "sha256": ""},
        "confusion": {"labels": LABELS, "matrix": GOOD},
    }  # fmt: skip
    return Cell.model_validate(found | changes)


def dangerous(low: float, high: float = 0.0, patients: int = 60, margin: float = 0.1, **changes: Any) -> dict[str, Any]:
    """What two arms make of dangerous cases: the 90% interval of the difference in sensitivity, and all else."""
    middle = (low + high) / 2
    found = {
        "labels": ["urgent"], "lost": 3, "gained": 1, "margin": margin,
        "sensitivity": {
            "a": 0.85 + middle, "b": 0.85, "ci_90": (low, high), "cases": patients, "patients": patients,
        },
        "specificity": {"a": 0.7, "b": 0.9, "ci_90": (-0.3, -0.1), "cases": 60, "patients": 60},
    }  # fmt: skip
    return found | changes


SEEN = {
    "task": "triage", "model": "tiny", "control": "passed", "steps": 40, "dose": 2e-3, "answers_changed": 0.3,
    "pair_accuracy": (0.54, 0.78), "delivered": True, "settled": True, "smallest_detectable": 0.04, "sentence": "yes",
}  # fmt: skip
"""A study that could have seen a gain as large as the margin."""


def conclude(
    contrasts: list[Contrast], cells: list[Cell] | None = None, seen: dict[str, Any] | None = None, **task: Any
) -> Conclusion:
    """The one conclusion of a study of one task."""
    arms = dict.fromkeys(arm for one in contrasts for arm in (one.b, one.a) if arm != "majority")
    cells = cells or [cell(arm, seed=seed) for arm in arms for seed in range(3)]
    box = CouldHaveSeen.model_validate(SEEN | (seen or {}))
    (found,) = conclusions(contrasts, cells, [TaskPart(**TASK | task)], ARMS, seen=[box])
    return found


DPO_WINS = [
    contrast("sft+dpo", "sft", "better", 0.16),
    contrast("sft+dpo", "sft+sft", "better", 0.08, price_ratio=1.0),
    contrast("sft", "base", "better", 0.3),
    contrast("sft+dpo", "base", "better", 0.46),
    contrast("sft+dpo", "majority", "better", 0.4),
]
SFT_IS_LEFT = [
    contrast("sft+dpo", "sft", "equivalent"),
    contrast("sft", "base", "better", 0.3),
    contrast("sft+dpo", "base", "better", 0.3),
    contrast("sft", "majority", "better", 0.3),
]


def replaced(contrasts: list[Contrast], *others: Contrast) -> list[Contrast]:
    pairs = {(one.a, one.b) for one in others}
    return [one for one in contrasts if (one.a, one.b) not in pairs] + list(others)


def without(contrasts: list[Contrast], arm: str) -> list[Contrast]:
    return [one for one in contrasts if arm not in (one.a, one.b)]
