"""Evidence for the diagnosis where labels have probabilities: those of this arm, of others, and of mistakes."""

import math
from collections.abc import Mapping, Sequence

from rich.console import Console

from preceptor.models import in_front
from preceptor.progress import progress
from preceptor.ship._cause import EQUAL_GAP, Evidence, Suspect, prompt_mismatch
from preceptor.ship._evidence import PROBED
from preceptor.ship._measured_model import MeasuredModel, mistakes
from preceptor.ship._other_arms import evenly_spaced, other_arms
from preceptor.ship._replayed import Replayed, scores_gap
from preceptor.study import ArmOfRun
from preceptor.tasks import Task

Scores = Mapping[str, float]
_NEAREST = 1e-12
"""Stands for how far a probability is from 0 or 1 that was told as one of these."""


def gather_label_evidence(
    arm: ArmOfRun, chosen: Sequence[int], prompts: Sequence[list[int]], cases: Sequence[Replayed], console: Console
) -> Evidence:
    """The evidence on replayed cases; `chosen` are their indices among the held-out cases.

    Gaps are those of the labels' log-probabilities. No model is loaded where nothing differs, or where the prompt
    lengths alone explain the differences.
    """
    if prompt_mismatch(cases):
        return Evidence()
    gap = _gap(cases, [case.measured_scores for case in cases])
    differing = [i for i, case in enumerate(cases) if not case.same]
    if not differing and (gap is None or gap <= EQUAL_GAP):
        return Evidence(gap=gap)
    suspects = [
        Suspect(
            other.cause(arm),
            {number: other.predictions[i].text for number, i in enumerate(chosen)},
            _gap(cases, [other.predictions[i].scores for i in chosen]),
        )
        for other in other_arms(arm)
    ]
    same = [i for i in range(len(cases)) if i not in differing]
    probed = evenly_spaced(differing, PROBED - min(PROBED // 4, len(same)))
    probed = sorted([*probed, *evenly_spaced(same, PROBED - len(probed))])
    suspects += _mistaken(arm, probed, [prompts[i] for i in probed], [cases[i] for i in probed], console)
    margins = {i: margin for i in differing if (margin := _margin(arm, cases[i])) is not None}
    return Evidence(suspects, margins, gap=gap)


def _mistaken(
    arm: ArmOfRun,
    numbers: Sequence[int],
    prompts: Sequence[list[int]],
    cases: Sequence[Replayed],
    console: Console,
) -> list[Suspect]:
    """The measured model with adapters left out or at wrong scales."""
    model = MeasuredModel(arm)
    fixed = {name for name, slot in model.slots.items() if arm.by_head and in_front(slot)}  # a head reads behind them
    made, suspects = list(mistakes({name: slot for name, slot in model.slots.items() if name not in fixed})), []
    with progress("Looking for the cause", len(made), console) as advance:
        for factors, cause in made:
            with model.at_strength(factors):
                found = model.labels(prompts)
            texts = dict(zip(numbers, found.texts, strict=True))
            suspects.append(Suspect(cause, texts, _gap(cases, found.probabilities)))
            advance()
    return suspects


def _gap(cases: Sequence[Replayed], scores: Sequence[Scores | None]) -> float | None:
    """Mean difference of the served labels' log-probabilities from `scores`, in nats per label; None without scores."""
    both = [(one, case.served_scores) for one, case in zip(scores, cases, strict=True)]
    gaps = [scores_gap(one, served) for one, served in both if one is not None and served is not None]
    return sum(gaps) / len(gaps) if gaps else None


def _margin(arm: ArmOfRun, case: Replayed) -> float | None:
    """By how many nats the measured model preferred its label over the served one, as its rule or head counts them."""
    rule, scores = arm.label_rule, case.measured_scores
    if scores is not None and arm.threshold is not None:
        return _set_margin(arm.task, case, scores, arm.threshold)
    measured, served = arm.task.parse(case.measured), arm.task.parse(case.served)
    if scores is None or min(scores.get(measured, 0.0), scores.get(served, 0.0)) <= 0:
        return None
    shift = 0.0
    if rule is not None:
        means = dict(zip(rule.labels, rule.means, strict=True))
        shift = (rule.probabilities_tau - rule.tau) * (means[measured] - means[served])
    return math.log(scores[measured]) - math.log(scores[served]) + shift


def _set_margin(task: Task, case: Replayed, scores: Scores, threshold: float) -> float | None:
    """The same of several labels: by how many nats of log-odds those that one answer has and the other has not are
    from the threshold, or where none reaches it from the highest label; at most.
    """
    measured, served = task.label_set(case.measured), task.label_set(case.served)
    if measured is None or served is None or not (measured ^ served) <= scores.keys():
        return None
    bar = threshold if task.answer.empty is not None else min(threshold, max(scores.values()))
    return max((abs(_log_odds(scores[label]) - _log_odds(bar)) for label in measured ^ served), default=None)


def _log_odds(share: float) -> float:
    inside = min(max(share, _NEAREST), 1 - _NEAREST)
    return math.log(inside) - math.log1p(-inside)
