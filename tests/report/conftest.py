"""A run folder as a study leaves it: six outputs, three arms, one seed; answers drawn at random, evidence real."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from preceptor.evidence import METRICS, Metric, Sample, compare, estimate, holm, judge, sensitivity, sentence
from preceptor.files import digest_file, write_atomic, write_json, write_jsonl

ARMS = ["base", "sft", "sft+dpo"]
CASE_TEXT = "burning when passing water since Tuesday"  # stands in every prediction, must stand nowhere on the page
TRIAGE = ["pharmacist", "nurse", "general practitioner", "urgent cancer referral", "emergency"]
YEARS = ["exclude", "D-dimer", "CT angiography", "rule does not apply"]
# name, title, metric, labels, chance that base, SFT and SFT+DPO answer right, and that the base's answer is unreadable
OUTPUTS: list[tuple[str, str, str, list[str], tuple[float, ...], float]] = [
    ("text_classification", "Urinary infection by definition", "macro_f1", ["met", "not met"], (0.4, 0.82, 0.84), 0.2),
    ("numeric_classification", "Stage of acute kidney injury", "macro_f1", ["0", "1", "2", "3"], (0.2, 0.5, 0.46), 0.1),
    ("clinical_reasoning", "Suspected pulmonary embolism", "accuracy", YEARS, (0.02, 0.55, 0.61), 0.9),
    ("summarization", "Discharge summary", "fact_f1", [], (0.1, 0.6, 0.66), 0.0),
    ("triage_provider", "Who should see the patient", "macro_f1", TRIAGE, (0.15, 0.66, 0.85), 0.3),
    ("triage_urgency", "How urgent it is", "macro_f1", ["1", "2", "3", "4", "5"], (0.12, 0.42, 0.3), 0.35),
]
COSTS: dict[str, dict[str, float]] = {
    "base": dict.fromkeys(("seconds", "optimizer_steps", "tokens_seen", "tokens_computed", "flops"), 0),
    "sft": {
        "seconds": 71.4, "optimizer_steps": 120, "tokens_seen": 310_400, "tokens_computed": 241_000, "flops": 2.1e14
    },
    "sft+dpo": {
        "seconds": 164.2, "optimizer_steps": 180, "tokens_seen": 702_000, "tokens_computed": 468_200, "flops": 4.4e14
    },
}  # fmt: skip


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("run") / "quickstart")


@pytest.fixture
def run_folder(built: Path, tmp_path: Path) -> Path:
    return shutil.copytree(built, tmp_path / "quickstart")


def build(folder: Path, patients: int = 80, cases: int = 100, seeds: tuple[int, ...] = (0,)) -> Path:
    """Write the run folder and return it."""
    rng = np.random.default_rng(11)
    groups = np.concatenate([np.arange(patients), rng.integers(patients, size=cases - patients)])
    tasks, cells, contrasts = [], [], []
    for name, title, metric, labels, _, _ in OUTPUTS:
        gold = rng.integers(len(labels), size=cases) if labels else None
        also = [{"metric": "sensitivity", "labels": ["1", "2"]}] if name == "triage_urgency" else []
        majority = float(np.bincount(gold).max() / cases / len(labels)) if gold is not None else None
        tasks.append(
            {
                "name": name, "title": title, "metric": metric, "synthetic": True, "labels": labels, "also": also,
                "counts": {"train": 400, "validation": 60, "test": cases, "groups_test": patients},
                "majority": majority,
            }
        )  # fmt: skip
        for seed in seeds:
            samples = {arm: _answers(name, arm, groups, gold, rng) for arm in ARMS}
            kept = _predictions(folder, name, seed, samples)
            cells += [
                _cell(name, metric, labels, arm, seed, sample) | {"predictions": kept[arm]}
                for arm, sample in samples.items()
            ]
        contrasts += _contrasts(name, metric, samples)
    _adjust(contrasts)
    results = {
        "study": {
            "name": "quickstart",
            "question": "Is supervised fine-tuning enough, or is preference optimisation worth its price?",
            "model": {"name": "smollm2-135m-instruct", "title": "SmolLM2-135M-Instruct (dequantised from Q4_1)"},
            "seeds": list(seeds), "arms": ARMS, "tasks": tasks,
        },
        "versions": {"preceptor": "0.1.0", "torch": "2.13.0", "transformers": "5.23.0", "peft": "0.21.2"},
        "created": "2026-03-02T14:05:11+00:00", "command": "preceptor study quickstart",
        "cells": cells, "contrasts": contrasts,
    }  # fmt: skip
    write_json(folder / "results.json", results)
    write_json(folder / "preflight.json", {name: _preflight(name, labels) for name, _, _, labels, _, _ in OUTPUTS})
    write_atomic(folder / "study.yaml", "name: quickstart\nseeds: [0]\nsft:\n  learning_rate: 0.0004\n  epochs: 4\n")
    return folder


def _answers(name: str, arm: str, groups: np.ndarray, gold: np.ndarray | None, rng: np.random.Generator) -> Sample:
    _, _, _, labels, chances, unreadable = next(output for output in OUTPUTS if output[0] == name)
    chance = chances[ARMS.index(arm)]
    if gold is None:
        return Sample(groups, scores=rng.beta(8 * chance, 8 * (1 - chance), size=len(groups)))
    answered = np.where(rng.random(len(gold)) < chance, gold, rng.integers(len(labels), size=len(gold)))
    lost = rng.random(len(gold)) < (unreadable if arm == "base" else 0.01)
    return Sample(groups, gold, np.where(lost, -1, answered))


def _metric(name: str) -> Metric:
    return METRICS.get(name, METRICS["mean_score"])


def _cell(task: str, metric: str, labels: list[str], arm: str, seed: int, sample: Sample) -> dict[str, Any]:
    found = estimate(_metric(metric), sample, seed=seed)
    cell = {
        "task": task, "model": "smollm2-135m-instruct", "arm": arm, "seed": seed, "metric": metric,
        "value": found.value, "ci": [found.low, found.high], "n": found.n, "invalid_rate": found.invalid_rate,
        "cost": {**COSTS[arm], "peak_memory_bytes": 1.9e9}, "evaluation_seconds": 14.2, "also": {},
        "pairs": {"hardest_label": 32, "without a pair": 0} if arm == "sft+dpo" else {},
    }  # fmt: skip
    if task == "triage_urgency":
        cell["also"] = {"sensitivity": estimate(sensitivity([0, 1]), sample, seed=seed).value}
    if sample.gold is not None and sample.predicted is not None:
        columns = [*range(len(labels)), -1]
        matrix = [
            [int(np.sum((sample.gold == row) & (sample.predicted == column))) for column in columns]
            for row in range(len(labels))
        ]
        cell["confusion"] = {"labels": labels, "matrix": matrix}
    return cell


def _contrasts(task: str, metric: str, samples: dict[str, Sample]) -> list[dict[str, Any]]:
    pairs = [("sft", "base"), ("sft+dpo", "sft")]
    found = [(a, b, compare(_metric(metric), samples[a], samples[b], seed=0)) for a, b in pairs]
    return [
        {
            "task": task, "model": "smollm2-135m-instruct", "metric": metric, "a": a, "b": b, "comparison": each,
            "delta": each.delta, "ci": [each.low, each.high], "p": each.p, "test": each.test, "n": each.n,
        }
        for a, b, each in found
    ]  # fmt: skip


def _adjust(contrasts: list[dict[str, Any]]) -> None:
    """Correct over all contrasts of the study, then judge each."""
    for contrast, p in zip(contrasts, holm([contrast["p"] for contrast in contrasts]), strict=True):
        comparison = contrast.pop("comparison")
        contrast["p_adjusted"] = p
        contrast["verdict"] = judge(comparison, p)
        words = {name: contrast[name] for name in ("task", "metric", "a", "b")}
        price = 2.1 if contrast["b"] == "sft" else None
        contrast["sentence"] = sentence(comparison, contrast["verdict"], p_adjusted=p, price_ratio=price, **words)


def _preflight(name: str, labels: list[str]) -> dict[str, Any]:
    sizes = {"train": 400, "validation": 60, "test": 100}
    return {
        "task": name, "read": 563, "refused": [],
        "counts": {
            split: {"cases": size, "patients": size - 20, "labels": {label: size // len(labels) for label in labels}}
            for split, size in sizes.items()
        },
        "lengths": {
            split: {"shortest": 96, "median": 180, "longest": 512, "cases_cut": 3 if split == "train" else 0}
            for split in sizes
        },
        "findings": [
            {"level": "warning", "where": "train cases s-17, s-203 and s-377", "what": "were cut to 512 tokens",
             "fix": "Raise max_length.", "ids": []}
        ] if name == "summarization" else [],
    }  # fmt: skip


def _predictions(folder: Path, task: str, seed: int, samples: dict[str, Sample]) -> dict[str, dict[str, str]]:
    kept = {}
    for arm, sample in samples.items():
        path = folder / "cells" / task / "smollm2-135m-instruct" / arm / f"seed-{seed}" / "predictions.jsonl"
        write_jsonl(path, ({"id": f"t-{case}", "text": CASE_TEXT} for case in range(len(sample))))
        kept[arm] = {"path": path.relative_to(folder).as_posix(), "sha256": digest_file(path)}
    return kept
