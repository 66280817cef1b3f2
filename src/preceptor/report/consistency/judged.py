"""What follows from a contrast's own numbers, computed again as the study computed it: verdict, words, and p-values."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from math import sqrt

import numpy as np
from scipy import stats

from preceptor.evidence import (
    FEWEST_SEEDS,
    INVALID_CODE,
    TANGO,
    Comparison,
    Judgement,
    Sample,
    across_seeds,
    benjamini_hochberg,
    compare,
    find_metric,
    judge,
    metric_names,
    sentence,
)
from preceptor.report.consistency.wrong import Wrong, ends, unlike
from preceptor.study.results.adjustment import Tested, adjusted_p
from preceptor.study.results.contrast_schema import Contrast, Paired
from preceptor.study.results.contrast_words import only_these_seeds
from preceptor.study.results.contrasts import ERROR_ON_PURPOSE
from preceptor.study.results.rater_schema import Human
from preceptor.study.results.schema import Results
from preceptor.study.results.task_schema import TaskPart
from preceptor.study.spec.arms import Arm, phrases

_FOLLOWS = "it does not follow from the other numbers of the contrast"


def of_judged(contrast: Contrast, results: Results, task: TaskPart, arms: Mapping[str, Arm]) -> Iterator[Wrong]:
    """A contrast whose intervals, verdict or sentence is another than its numbers give."""
    if contrast.metric not in metric_names() or contrast.p_adjusted is None or contrast.patients is None:
        return
    if contrast.margin != task.margin:
        yield "margin", "it is not the margin of its task"
    for name, found in _computed_again(contrast).items():
        if unlike(getattr(contrast, name), found):
            yield name, _FOLLOWS
    comparison = _comparison(contrast, _smallest_class(contrast, results, task))
    judgement = _judged(contrast, comparison, _on_purpose(contrast, task, arms))
    for name in ("descriptive", "verdict", "less_than_matters", "below_margin"):
        if getattr(contrast, name) != getattr(judgement, name):
            yield name, _FOLLOWS
    if contrast.needed and (contrast.margin is None or judgement.verdict != "inconclusive" or judgement.descriptive):
        yield "needed", "nothing stayed open that more patients would settle"
    if contrast.sentence != _sentence(contrast, comparison, judgement, results, phrases(arms)):
        yield "sentence", "it does not say what the numbers of the contrast do"


def of_adjusted(results: Results) -> Iterator[Wrong]:
    """p-values that are not adjusted for all that the study compared."""
    tested = [Tested(one.family, one.task, one.model, one.p) for one in results.contrasts if one.p is not None]
    if len(tested) == len(results.contrasts):
        adjusted = adjusted_p(tested, results.not_compared)
        for number, (one, p) in enumerate(zip(results.contrasts, adjusted, strict=True)):
            if unlike(one.p_adjusted, p):
                yield f"contrasts.{number}.p_adjusted", "it is not what the p of all contrasts give"
    for number, (human, p) in enumerate(
        zip(results.human, benjamini_hochberg([one.p for one in results.human]), strict=True)
    ):
        if unlike(human.p_adjusted, p):
            yield f"human.{number}.p_adjusted", "it is not what the p of all that raters scored give"


def of_judged_by_raters(human: Human, words: Mapping[str, str]) -> Iterator[Wrong]:
    """What raters scored, with another verdict or sentence than its numbers give."""
    comparison = _comparison(human)
    judgement = judge(comparison, human.p_adjusted, better="higher" if human.higher_is_better else "lower")
    if human.descriptive and human.n != human.patients:
        judgement = Judgement("inconclusive", descriptive=human.descriptive)
    for name in ("descriptive", "verdict"):
        if getattr(human, name) != getattr(judgement, name):
            yield name, _FOLLOWS
    said = sentence(
        comparison,
        judgement,
        task=human.task,
        metric=f"{human.scale} by raters",
        a=words[human.a],
        b=words[human.b],
        p_adjusted=human.p_adjusted,
    )
    if human.sentence != said:
        yield "sentence", "it does not say what the numbers of the raters do"


def _comparison(one: Contrast | Human, smallest_class: int | None = None) -> Comparison:
    """The comparison as it is told. How much patients with several cases weigh is not told: as all others."""
    low, high = ends(one.ci) or (None, None)
    low_90, high_90 = (ends(one.ci_90) if isinstance(one, Contrast) else None) or (None, None)
    return Comparison(
        delta=one.delta,
        low=low,
        high=high,
        low_90=low_90,
        high_90=high_90,
        p=one.p or 0.0,
        test=one.test,
        interval=one.interval,
        n=one.n,
        patients=one.patients or 0,
        effective_patients=float(one.patients or 0),
        differing=one.differing or 0,
        smallest_class=smallest_class,
        variance=0.0,
        seed_deltas=(),
    )


def _judged(contrast: Contrast, comparison: Comparison, on_purpose: str | None) -> Judgement:
    """What the numbers show. That some patients or classes weigh too little, which only the cases of patients with
    several of them show, is believed.
    """
    assert contrast.p_adjusted is not None
    judgement = judge(comparison, contrast.p_adjusted, contrast.margin, better=find_metric(contrast.metric).better)
    described = judgement.descriptive or on_purpose
    if judgement.descriptive is None and contrast.n != contrast.patients and contrast.descriptive != ERROR_ON_PURPOSE:
        described = contrast.descriptive or on_purpose
    return Judgement("inconclusive", descriptive=described) if described else judgement


def _on_purpose(contrast: Contrast, task: TaskPart, arms: Mapping[str, Arm]) -> str | None:
    both = all(name in arms and arms[name].trained for name in (contrast.a, contrast.b))
    return ERROR_ON_PURPOSE if task.spike is not None and both else None


def _smallest_class(contrast: Contrast, results: Results, task: TaskPart) -> int | None:
    """Patients of the rarest label that occurs, 0 where only one does; known where each patient has one case."""
    cell = next((one for one in results.of_arm(task.name, contrast.a) if one.confusion), None)
    if cell is None or cell.confusion is None or contrast.n != contrast.patients:
        return None
    counts = [total for row in cell.confusion.matrix if (total := sum(row))]
    return min(counts) if len(counts) > 1 else 0


def _computed_again(contrast: Contrast) -> dict[str, object]:
    """Its test and intervals where the results hold all that they are computed from: a share of cases, from the paired
    table; many seeds, from the differences with each.
    """
    if contrast.interval == TANGO and contrast.counts and find_metric(contrast.metric).hits:
        found = _from_table(contrast.metric, contrast.counts)
        fields = {"p": found.p, "ci": (found.low, found.high), "ci_90": (found.low_90, found.high_90)}
        return {**fields, "differing": found.differing}
    if (wide := ends(contrast.ci)) and len(contrast.seeds) >= FEWEST_SEEDS and (contrast.patients or 0) > 1:
        return _from_seeds([one.delta for one in contrast.seeds], contrast.patients or 0, (wide[1] - wide[0]) / 2)
    return {}


def _from_table(metric: str, counts: Paired) -> Comparison:
    numbers = (counts.both_right, counts.only_a, counts.only_b, counts.neither)
    a, b = (np.repeat(right, numbers) for right in ((0, 0, INVALID_CODE, INVALID_CODE), (0, INVALID_CODE) * 2))
    gold = np.zeros(len(a), dtype=int)
    ours, theirs = (Sample(np.arange(len(a)), gold, answered) for answered in (a, b))
    return compare(find_metric(metric), [ours], [theirs])


def _from_seeds(deltas: list[float], patients: int, half: float) -> dict[str, object]:
    """With the error of patients that gives the 95% interval its half width."""
    seeds = across_seeds(deltas, 0.0, patients)
    of_seeds = seeds.of_seeds[0] * float(stats.t.ppf(0.975, seeds.of_seeds[1]))
    error = sqrt(max(0.0, half**2 - of_seeds**2)) / float(stats.t.ppf(0.975, patients - 1))
    both = replace(seeds, of_patients=(error, patients - 1))
    return {"ci": both.interval(0.95), "ci_90": both.interval(0.90), "p": both.p}


def _sentence(
    contrast: Contrast, comparison: Comparison, judgement: Judgement, results: Results, words: Mapping[str, str]
) -> str:
    named = {"task": contrast.task, "metric": contrast.metric, "a": words[contrast.a], "b": words[contrast.b]}
    p, price = contrast.p_adjusted or 0.0, contrast.price_ratio
    said = sentence(comparison, judgement, **named, p_adjusted=p, price_ratio=price)
    of = (contrast.task, contrast.model)
    lost = [one for arm in (contrast.a, contrast.b) for one in results.failed
            if (one.task, one.model) == of and one.arm == arm]  # fmt: skip
    return said + only_these_seeds([one.seed for one in contrast.seeds], lost, words)
