"""Which arms are compared with which, decided before any prediction is made, and what each comparison found."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from preceptor.evidence import (
    Comparison,
    Judgement,
    Sample,
    compare,
    compared_fields,
    find_metric,
    judge,
    power,
    sentence,
)
from preceptor.study.results.adjustment import ADJUSTMENT, Tested, adjusted_p
from preceptor.study.results.cells import Cell, majority_sample
from preceptor.study.results.contrast_schema import Contrast, Family, NotCompared, Paired, SeedDelta
from preceptor.study.results.contrast_words import only_these_seeds
from preceptor.study.results.dangerous import dangerous_of
from preceptor.study.run.failures import Failure, in_words
from preceptor.study.spec.arms import MAJORITY, Arm, phrases
from preceptor.study.spec.found import find_answer

ERROR_ON_PURPOSE = "the training data hold an error on purpose, and how much it costs was chosen"
"""Why two trained arms are only described on a task with a spike."""


@dataclass(frozen=True, slots=True)
class _Found:
    """One comparison; `ours` are arm a's samples, one a seed, `theirs` arm b's. `lost`: what failed of the two."""

    family: Family
    a: Sequence[Cell]
    b_name: str
    b: Sequence[Cell]
    ours: Sequence[Sample]
    theirs: Sequence[Sample]
    comparison: Comparison
    lost: Sequence[Failure]


@dataclass(slots=True)
class _Arms:
    """What there is of one task and model: arm -> its cells, one a seed; arm -> its failures."""

    cells: dict[str, list[Cell]] = field(default_factory=dict)
    failed: dict[str, list[Failure]] = field(default_factory=dict)

    def lost(self, a: str, b: str) -> list[Failure]:
        """What failed of two arms."""
        return [*self.failed.get(a, ()), *self.failed.get(b, ())]


def contrasts(
    cells: Sequence[Cell],
    arms: Mapping[str, Arm],
    primary: Sequence[tuple[str, str]],
    margins: Mapping[str, float | None],
    failed: Sequence[Failure] = (),
) -> list[Contrast]:
    """Every contrast that the study's `arms` allow, one for each task, model and pair: the mean over paired seeds.

    `primary` pairs come first. They are adjusted by closed testing, in which those of a task and model are one
    question; contrasts with a simpler way by Holm, the others by Benjamini and Hochberg. `margins` gives each task's
    margin in its metric's unit, None where the user set none. A seed that `failed` for one of the two arms is left
    out, and a contrast without any seed still counts in the adjustment, with p = 1, so that a failure makes no other
    contrast look more certain.
    """
    found = [
        one
        for there in _by_task_and_model(cells, failed).values()
        for (a, b), family in chosen(arms, primary).items()
        if (one := _compared(there, a, b, family))
    ]
    found.sort(key=lambda one: one.family != "primary")
    tested = [Tested(one.family, one.a[0].prepared.task.name, one.a[0].model, one.comparison.p) for one in found]
    adjusted = adjusted_p(tested, not_compared(cells, arms, primary, failed))
    words = phrases(arms)
    return [
        _entry(one, p, margins.get(one.a[0].prepared.task.name), words, _why_described(one, arms))
        for one, p in zip(found, adjusted, strict=True)
    ]


def _why_described(found: _Found, arms: Mapping[str, Arm]) -> str | None:
    """Why two trained arms are not judged on a task whose training data hold an error on purpose."""
    both = all(name in arms and arms[name].trained for name in (found.a[0].arm, found.b_name))
    return ERROR_ON_PURPOSE if found.a[0].prepared.entry.data.spike is not None and both else None


def not_compared(
    cells: Sequence[Cell],
    arms: Mapping[str, Arm],
    primary: Sequence[tuple[str, str]],
    failed: Sequence[Failure],
) -> list[NotCompared]:
    """The contrasts that the study would have and for which no seed of both arms is left, primary ones first."""
    words = phrases(arms)
    lost = [
        NotCompared(task=task, model=model, family=family, a=a, b=b, sentence=_why(task, a, b, there.lost(a, b), words))
        for (task, model), there in _by_task_and_model(cells, failed).items()
        for (a, b), family in chosen(arms, primary).items()
        if _is_lost(there, a, b)
    ]
    return sorted(lost, key=lambda one: one.family != "primary")


def _why(task: str, a: str, b: str, failed: Sequence[Failure], words: Mapping[str, str]) -> str:
    text = f"{words[a]} and {words[b]} on {task} were not compared: {in_words(failed, words)}."
    return text[0].upper() + text[1:]


def chosen(arms: Mapping[str, Arm], primary: Sequence[tuple[str, str]]) -> dict[tuple[str, str], Family]:
    """The pairs of arms that a study compares: the primary ones, then each arm against those that it names.

    Whether simpler ways are beaten decides what is recommended, so those contrasts are a family of their own: wins that
    nobody doubts, as over a base model whose answers cannot be read, make none of them easier.
    """
    pairs: dict[tuple[str, str], Family] = dict.fromkeys(primary, "primary")
    for arm in arms.values():
        for other in arm.against:
            if other == MAJORITY or other in arms:
                with_simpler = _writes(arm.name, arms) != _writes(other, arms)
                pairs.setdefault((arm.name, other), "gatekeeping" if with_simpler else "secondary")
    return pairs


def _writes(name: str, arms: Mapping[str, Arm]) -> bool:
    """Whether a language model answers in an arm, which an encoder that is there as a simpler way is not."""
    return name != MAJORITY and not arms[name].simpler and bool(find_answer(arms[name].answer).language_model)


def _by_task_and_model(cells: Sequence[Cell], failed: Sequence[Failure]) -> dict[tuple[str, str], _Arms]:
    grouped: dict[tuple[str, str], _Arms] = {}
    for cell in cells:
        arms = grouped.setdefault((cell.prepared.task.name, cell.model), _Arms())
        arms.cells.setdefault(cell.arm, []).append(cell)
    for one in failed:
        grouped.setdefault((one.task, one.model), _Arms()).failed.setdefault(one.arm, []).append(one)
    return grouped


def _is_lost(arms: _Arms, a: str, b: str) -> bool:
    """Whether the study has both arms, and they have no seed in common because of what failed."""
    known = arms.cells.keys() | arms.failed.keys()
    if b == MAJORITY:  # what is commonest is known wherever another arm answered a task with labels
        labels = any(cell.prepared.task.labels for cells in arms.cells.values() for cell in cells)
        return labels and a in arms.failed and a not in arms.cells
    return {a, b} <= known and not _paired(arms, a, b)


def _compared(arms: _Arms, a: str, b: str, family: Family) -> _Found | None:
    if a not in arms.cells:
        return None
    ours, prepared = arms.cells[a], arms.cells[a][0].prepared
    metric = prepared.task.metric
    others: list[Cell] = []
    if b == MAJORITY:
        everywhere = majority_sample(prepared)
        if everywhere is None:
            return None
        theirs = [everywhere] * len(ours)
    elif paired := _paired(arms, a, b):
        ours, others = [cell for cell, _ in paired], [other for _, other in paired]
        theirs = [cell.sample(metric) for cell in others]
    else:
        return None
    samples = [cell.sample(metric) for cell in ours]
    comparison = compare(find_metric(metric), samples, theirs)
    return _Found(family, ours, b, others, samples, theirs, comparison, arms.lost(a, b))


def _paired(arms: _Arms, a: str, b: str) -> list[tuple[Cell, Cell]]:
    """The cells of both arms by seed; of an arm that chance has no part in, one cell stands for all seeds."""
    theirs = arms.cells.get(b, [])
    of_seed = {cell.seed: cell for cell in theirs}
    always = theirs[0] if theirs and theirs[0].seedless else None
    return [(cell, other) for cell in arms.cells.get(a, ()) if (other := of_seed.get(cell.seed, always))]


def _entry(
    found: _Found, p_adjusted: float, margin: float | None, words: Mapping[str, str], described: str | None
) -> Contrast:
    comparison, task = found.comparison, found.a[0].prepared.task
    judgement = judge(comparison, p_adjusted, margin, better=find_metric(task.metric).better)
    if described:
        judgement = Judgement("inconclusive", descriptive=judgement.descriptive or described)
    a, b, price = found.a[0].arm, found.b_name, _price_ratio(found)
    deltas = zip(found.a, comparison.seed_deltas, strict=True)
    named = {"task": task.name, "metric": task.metric, "a": words[a], "b": words[b]}
    said = sentence(comparison, judgement, **named, p_adjusted=p_adjusted, price_ratio=price)
    return Contrast(
        task=task.name,
        model=found.a[0].model,
        metric=task.metric,
        family=found.family,
        a=a,
        b=b,
        **compared_fields(comparison, judgement),
        p_adjusted=p_adjusted,
        adjustment=ADJUSTMENT[found.family],
        seeds=[SeedDelta(seed=cell.seed, delta=delta) for cell, delta in deltas],
        margin=margin,
        counts=_counts(found),
        more_right=_more_right(found),
        dangerous=dangerous_of(found.a[0].prepared, found.ours, found.theirs),
        answers_changed=_answers_changed(found),
        price_ratio=price,
        needed=_needed(comparison, judgement, margin),
        sentence=said + only_these_seeds([cell.seed for cell in found.a], found.lost, words),
    )


def _price_ratio(found: _Found) -> float | None:
    """Training compute of a over b's, whole arms and all seeds; None where b cost nothing."""
    theirs = sum(cell.cost.training_flops for cell in found.b)
    return sum(cell.cost.training_flops for cell in found.a) / theirs if theirs else None


def _needed(comparison: Comparison, judgement: Judgement, margin: float | None) -> int | None:
    """How many patients would settle what stayed open; None where nothing did, or no margin was set."""
    if margin is None or judgement.verdict != "inconclusive" or judgement.descriptive:
        return None
    return power.would_settle(comparison, margin)


def _counts(found: _Found) -> Paired | None:
    """Cases that both arms, only one, and neither answered rightly, first seed; None for free text."""
    if found.ours[0].gold is None:
        return None
    gold, a = found.ours[0].labels()
    right_a, right_b = a == gold, found.theirs[0].labels()[1] == gold
    return Paired(
        both_right=int(np.sum(right_a & right_b)),
        only_a=int(np.sum(right_a & ~right_b)),
        only_b=int(np.sum(~right_a & right_b)),
        neither=int(np.sum(~right_a & ~right_b)),
    )


def _more_right(found: _Found) -> float | None:
    """Cases that a answered rightly more than b, the mean over seeds; None for free text."""
    if found.ours[0].gold is None:
        return None
    gold = found.ours[0].labels()[0]
    right_a, right_b = (sum(int(np.sum(one.labels()[1] == gold)) for one in arm) for arm in (found.ours, found.theirs))
    return (right_a - right_b) / len(found.ours)


def _answers_changed(found: _Found) -> float | None:
    """Share of held-out cases that the two arms answer differently, the mean over seeds; None against no arm."""
    if not found.b:
        return None
    parse = found.a[0].prepared.task.parse
    shares = [
        np.mean([parse(one.text) != parse(two.text) for one, two in zip(a.predictions, b.predictions, strict=True)])
        for a, b in zip(found.a, found.b, strict=True)
    ]
    return float(np.mean(shares))
