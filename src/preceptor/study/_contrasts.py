"""Which arms are compared with which, decided before any prediction is made, and what each comparison found."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from preceptor.evidence import Comparison, Judgement, Sample, benjamini_hochberg, compare, holm, judge, power, sentence
from preceptor.study._cell import MAJORITY, Cell, dangerous_labels, majority_sample, metric_of

Family = Literal["primary", "secondary"]

SECONDARY = (
    ("sft", "base"),
    ("sft+dpo", "base"),
    ("sft", "base+shots"),
    ("sft+dpo", "base+shots"),
    ("sft+dpo", "sft"),
    ("sft+dpo", "sft+sft"),
    ("sft+sft", "sft"),
    ("sft", "tfidf"),
    ("sft+dpo", "tfidf"),
    ("sft", "endpoint"),
    ("sft+dpo", "endpoint"),
    ("sft", MAJORITY),
    ("sft+dpo", MAJORITY),
)
"""Arm a against arm b, beside the primary ones of the study, and each further maker's arm against these two."""

_AGAINST_FURTHER_MAKERS = ("sft+dpo", "sft")

_RESAMPLING_SEED = 0


@dataclass(frozen=True, slots=True)
class _Found:
    """One comparison; `ours` are arm a's samples, one a seed, `theirs` arm b's."""

    family: Family
    a: Sequence[Cell]
    b_name: str
    b: Sequence[Cell]
    ours: Sequence[Sample]
    theirs: Sequence[Sample]
    comparison: Comparison


def contrasts(
    cells: Sequence[Cell], primary: Sequence[Sequence[str]], margins: Mapping[str, float | None]
) -> list[dict[str, Any]]:
    """Every contrast that the arms allow, one for each task, model and pair of arms: the mean over paired seeds.

    `primary` pairs come first and are adjusted by Holm over the study, the others by Benjamini and Hochberg. `margins`
    gives each task's margin in its metric's unit, None where the user set none.
    """
    chosen: dict[tuple[str, str], Family] = {}
    for a, b in primary:
        chosen[a, b] = "primary"
    further = dict.fromkeys(cell.arm for cell in cells if "@" in cell.arm)
    for pair in (*SECONDARY, *((arm, other) for arm in further for other in _AGAINST_FURTHER_MAKERS)):
        chosen.setdefault(pair, "secondary")
    found = [
        one
        for arms in _by_task_and_model(cells)
        for (a, b), family in chosen.items()
        if (one := _compared(arms, a, b, family))
    ]
    found.sort(key=lambda one: one.family != "primary")
    first = [one for one in found if one.family == "primary"]
    p_values = [one.comparison.p for one in found]
    adjusted = holm(p_values[: len(first)]) + benjamini_hochberg(p_values[len(first) :])
    return [_entry(one, p, margins.get(one.a[0].prepared.task.name)) for one, p in zip(found, adjusted, strict=True)]


def _by_task_and_model(cells: Sequence[Cell]) -> list[dict[str, list[Cell]]]:
    """Arm -> its cells, one a seed, for each task and model."""
    grouped: dict[tuple[str, str], dict[str, list[Cell]]] = {}
    for cell in cells:
        arms = grouped.setdefault((cell.prepared.task.name, cell.model), {})
        arms.setdefault(cell.arm, []).append(cell)
    return list(grouped.values())


def _compared(arms: Mapping[str, list[Cell]], a: str, b: str, family: Family) -> _Found | None:
    if a not in arms:
        return None
    ours, prepared = arms[a], arms[a][0].prepared
    metric = prepared.task.metric
    if b == MAJORITY:
        everywhere = majority_sample(prepared)
        if everywhere is None:
            return None
        others, theirs = [], [everywhere] * len(ours)
    elif b in arms:
        others = [_same_seed(cell, arms[b]) for cell in ours]
        theirs = [cell.sample(metric) for cell in others]
    else:
        return None
    samples = [cell.sample(metric) for cell in ours]
    comparison = compare(metric_of(prepared, metric), samples, theirs, seed=_RESAMPLING_SEED)
    return _Found(family, ours, b, others, samples, theirs, comparison)


def _same_seed(cell: Cell, others: Sequence[Cell]) -> Cell:
    """The other arm's cell of the same seed; an arm without seeds has one cell for all."""
    return next((other for other in others if other.seed == cell.seed), others[0])


def _entry(found: _Found, p_adjusted: float, margin: float | None) -> dict[str, Any]:
    """A contrast's entry in `results.json`."""
    comparison, task = found.comparison, found.a[0].prepared.task
    judgement = judge(comparison, p_adjusted, margin)
    price = _price_ratio(found)
    return {
        "task": task.name,
        "model": found.a[0].model,
        "metric": task.metric,
        "family": found.family,
        "a": found.a[0].arm,
        "b": found.b_name,
        "delta": comparison.delta,
        "ci": [comparison.low, comparison.high],
        "ci_90": [comparison.low_90, comparison.high_90],
        "p": comparison.p,
        "p_adjusted": p_adjusted,
        "adjustment": "holm" if found.family == "primary" else "bh",
        "test": comparison.test,
        "interval": comparison.interval,
        "n": comparison.n,
        "patients": comparison.patients,
        "differing": comparison.differing,
        "seeds": [
            {"seed": cell.seed, "delta": delta} for cell, delta in zip(found.a, comparison.seed_deltas, strict=True)
        ],
        "margin": margin,
        "verdict": judgement.verdict,
        "less_than_matters": judgement.less_than_matters,
        "below_margin": judgement.below_margin,
        "descriptive": judgement.descriptive,
        "counts": _counts(found),
        "dangerous": _dangerous(found),
        "price_ratio": price,
        "needed": _needed(comparison, judgement, margin),
        "sentence": sentence(
            comparison,
            judgement,
            task=task.name,
            metric=task.metric,
            a=found.a[0].arm,
            b=found.b_name,
            p_adjusted=p_adjusted,
            price_ratio=price,
        ),
    }


def _price_ratio(found: _Found) -> float | None:
    """Training compute of a over b's, whole arms and all seeds; None where b cost nothing."""
    theirs = sum(cell.cost.flops for cell in found.b)
    return sum(cell.cost.flops for cell in found.a) / theirs if theirs else None


def _needed(comparison: Comparison, judgement: Judgement, margin: float | None) -> int | None:
    """How many patients would settle what stayed open; None where nothing did, or no margin was set."""
    if margin is None or judgement.verdict != "inconclusive" or judgement.descriptive:
        return None
    return power.would_settle(comparison, margin)


def _counts(found: _Found) -> dict[str, int] | None:
    """Cases that both arms, only one, and neither answered rightly, first seed; None for free text."""
    if found.ours[0].gold is None:
        return None
    gold, a = found.ours[0].labels()
    right_a, right_b = a == gold, found.theirs[0].labels()[1] == gold
    return {
        "both_right": int(np.sum(right_a & right_b)),
        "only_a": int(np.sum(right_a & ~right_b)),
        "only_b": int(np.sum(~right_a & right_b)),
        "neither": int(np.sum(~right_a & ~right_b)),
    }


def _dangerous(found: _Found) -> dict[str, Any] | None:
    """Dangerous cases that b caught and a missed, and the reverse, first seed; None where the task names none.

    A case is caught when it is answered with any of the dangerous labels, as in `sensitivity`.
    """
    prepared = found.a[0].prepared
    labels = dangerous_labels(prepared)
    if not labels:
        return None
    codes = [prepared.task.labels.index(label) for label in labels]
    gold, a = found.ours[0].labels()
    caught_a, caught_b = np.isin(a, codes), np.isin(found.theirs[0].labels()[1], codes)
    concerned = np.isin(gold, codes)
    return {
        "labels": list(labels),
        "lost": int(np.sum(concerned & caught_b & ~caught_a)),
        "gained": int(np.sum(concerned & caught_a & ~caught_b)),
    }
