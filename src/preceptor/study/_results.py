"""From predictions to `results.json`: estimates, contrasts fixed in advance, verdicts."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from preceptor.engine import Cost
from preceptor.evidence import (
    METRICS,
    Comparison,
    Estimate,
    Metric,
    Sample,
    compare,
    estimate,
    holm,
    judge,
    sensitivity,
    sentence,
)
from preceptor.study._evaluate import Prediction
from preceptor.study._prepare import Prepared
from preceptor.study._score import case_score, gold_label
from preceptor.tasks import INVALID

MAJORITY = "majority"
"""Stands for the answer that is commonest in training, given to every case."""

CONTRASTS = (("sft", "base"), ("sft+dpo", "sft"), ("sft", MAJORITY))
"""Arm a against arm b, decided before any prediction is made."""

_RESAMPLING_SEED = 0


@dataclass(frozen=True, slots=True)
class Cell:
    """One arm on one task with one seed, with what it answered and what it cost."""

    prepared: Prepared
    model: str
    arm: str
    seed: int
    predictions: list[Prediction]
    cost: Cost
    evaluation_seconds: float
    predictions_file: str
    """Relative to the run folder."""
    predictions_sha256: str
    pairs: dict[str, int]
    """How many pairs each maker made, and how many cases gave none that fits."""

    def sample(self, metric: str) -> Sample:
        """The held-out results as arrays, in the order of the held-out cases."""
        return sample(self.prepared, [p.text for p in self.predictions], metric)


def sample(prepared: Prepared, texts: Sequence[str], metric: str) -> Sample:
    """`texts` (what was answered to each held-out case) as arrays for `metric`."""
    task, examples = prepared.task, prepared.splits.test
    groups = np.array([example.group for example in examples])
    answers = [task.parse(text) for text in texts]
    if task.answer.kind == "label":
        gold = _codes([gold_label(task, example) for example in examples], task.labels)
        return Sample(groups, gold=gold, predicted=_codes(answers, task.labels))
    scores = np.array([case_score(task, t, e, metric) for t, e in zip(texts, examples, strict=True)])
    unread = np.array([-1 if answer == INVALID else 0 for answer in answers])
    return Sample(groups, predicted=unread, scores=scores)


def measure(prepared: Prepared, cell: Cell) -> dict[str, Any]:
    """A cell's entry in `results.json`."""
    task = prepared.task
    main = _estimate(prepared, task.metric, (), cell)
    entry = {
        "task": task.name,
        "model": cell.model,
        "arm": cell.arm,
        "seed": cell.seed,
        "metric": task.metric,
        "value": main.value,
        "ci": [main.low, main.high],
        "n": main.n,
        "patients": main.patients,
        "invalid_rate": main.invalid_rate,
        "cost": cell.cost.to_json(),
        "evaluation_seconds": cell.evaluation_seconds,
        "predictions": {"path": cell.predictions_file, "sha256": cell.predictions_sha256},
        "pairs": cell.pairs,
        "also": {extra.metric: _estimate(prepared, extra.metric, extra.labels, cell).value for extra in task.also},
    }
    if task.labels:
        entry["confusion"] = _confusion(prepared, cell)
    return entry


def contrasts(cells: Sequence[Cell]) -> list[dict[str, Any]]:
    """Every contrast that the arms allow, for each task and seed; p adjusted by Holm over all of them."""
    found = [
        (a, b_name, b_cost, _compare(a, b))
        for a in cells
        for a_name, b_name in CONTRASTS
        if a.arm == a_name and (opponent := _opponent(a, b_name, cells))
        for b, b_cost in [opponent]
    ]
    adjusted = holm([comparison.p for *_, comparison in found])
    return [
        _contrast(a, b_name, b_cost, comparison, p)
        for (a, b_name, b_cost, comparison), p in zip(found, adjusted, strict=True)
    ]


def majority_answer(prepared: Prepared) -> str | None:
    """The label most training cases have; None for free text."""
    if not prepared.task.labels:
        return None
    count = Counter(gold_label(prepared.task, example) for example in prepared.splits.train)
    return max(prepared.task.labels, key=lambda label: count[label])


def majority_value(prepared: Prepared) -> float | None:
    """What the main metric would be if every answer were the majority answer."""
    everywhere = _majority_sample(prepared)
    if everywhere is None:
        return None
    return estimate(_metric(prepared, prepared.task.metric), everywhere, seed=_RESAMPLING_SEED).value


def _opponent(a: Cell, b_name: str, cells: Sequence[Cell]) -> tuple[Sample, Cost | None] | None:
    if b_name == MAJORITY:
        everywhere = _majority_sample(a.prepared)
        return (everywhere, None) if everywhere else None
    for b in cells:
        if (b.prepared.task.name, b.model, b.seed, b.arm) == (a.prepared.task.name, a.model, a.seed, b_name):
            return b.sample(a.prepared.task.metric), b.cost
    return None


def _compare(a: Cell, b: Sample) -> Comparison:
    metric = a.prepared.task.metric
    return compare(_metric(a.prepared, metric), a.sample(metric), b, seed=_RESAMPLING_SEED)


def _contrast(a: Cell, b_name: str, b_cost: Cost | None, comparison: Comparison, p: float) -> dict[str, Any]:
    verdict = judge(comparison, p)
    return {
        "task": a.prepared.task.name,
        "model": a.model,
        "metric": a.prepared.task.metric,
        "seed": a.seed,
        "a": a.arm,
        "b": b_name,
        "delta": comparison.delta,
        "ci": [comparison.low, comparison.high],
        "p": comparison.p,
        "p_adjusted": p,
        "test": comparison.test,
        "n": comparison.n,
        "verdict": verdict,
        "sentence": sentence(
            comparison,
            verdict,
            task=a.prepared.task.name,
            metric=a.prepared.task.metric,
            a=a.arm,
            b=b_name,
            p_adjusted=p,
            price_ratio=a.cost.flops / b_cost.flops if b_cost and b_cost.flops else None,
        ),
    }


def _majority_sample(prepared: Prepared) -> Sample | None:
    answer = majority_answer(prepared)
    if answer is None:
        return None
    gold = _codes([gold_label(prepared.task, e) for e in prepared.splits.test], prepared.task.labels)
    groups = np.array([example.group for example in prepared.splits.test])
    return Sample(groups, gold=gold, predicted=np.full(len(gold), prepared.task.labels.index(answer)))


def _estimate(prepared: Prepared, metric: str, positives: Sequence[str], cell: Cell) -> Estimate:
    return estimate(_metric(prepared, metric, positives), cell.sample(metric), seed=_RESAMPLING_SEED)


def _metric(prepared: Prepared, name: str, positives: Sequence[str] = ()) -> Metric:
    if name == "sensitivity":
        return sensitivity([prepared.task.labels.index(label) for label in positives])
    return METRICS.get(name, METRICS["mean_score"])


def _codes(answers: Sequence[str], labels: Sequence[str]) -> np.ndarray[Any, np.dtype[np.int64]]:
    code = {label: index for index, label in enumerate(labels)}
    return np.array([code.get(answer, -1) for answer in answers], dtype=np.int64)


def _confusion(prepared: Prepared, cell: Cell) -> dict[str, Any]:
    """Rows are gold labels, columns predicted labels, the last column INVALID."""
    labels = list(prepared.task.labels)
    matrix = np.zeros((len(labels), len(labels) + 1), dtype=int)
    gold, predicted = cell.sample(prepared.task.metric).labels()
    np.add.at(matrix, (gold, predicted), 1)  # -1, INVALID, is the last column
    return {"labels": labels, "matrix": matrix.tolist()}
