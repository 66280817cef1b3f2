"""How far the raters who gave the gold labels agree with each other, in the task's own metric and beyond chance."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import permutations
from pathlib import Path

import numpy as np

from preceptor.evidence import Sample, estimate, find_metric
from preceptor.preferences import first_votes, is_of, rater_agreement
from preceptor.preferences.labelling import Item, Vote, read_round
from preceptor.study.cases import Prepared
from preceptor.study.label_sets import set_sample
from preceptor.study.results.rater_schema import AgreementPart, HumanAgreement
from preceptor.study.score import case_score
from preceptor.tasks import Example, Task


def human_agreement(store: Path, prepared: Prepared) -> HumanAgreement | None:
    """The `human_agreement` of a task in `results.json`, from its store of gold labels; None where no case has two.

    `value` is the task's main metric with each rater of a case in turn as the answer and each other as the gold, so
    that it may stand beside a model's. `agreement` is None for texts. Raises `InputError` when there is no such store.
    """
    items, votes = read_round(store)
    own = {item.id: item for item in items if item.kind == "gold" and is_of(prepared.task, item)}
    pairs = _pairs(own, [vote for vote in votes if _readable(prepared.task, str(vote.choice))])
    if not pairs:
        return None
    found = estimate(find_metric(prepared.task.metric), _sample(prepared, pairs))
    agreed = next((one.found for one in rater_agreement(list(own.values()), votes)), None)
    return HumanAgreement(
        metric=prepared.task.metric,
        value=found.value,
        ci=(found.low, found.high),
        items=len({pair.item.id for pair in pairs}),
        patients=found.patients,
        raters=len({pair.rater for pair in pairs}),
        agreement=AgreementPart.model_validate(agreed, from_attributes=True) if agreed else None,
    )


def _readable(task: Task, choice: str) -> bool:
    """Whether a rater's answer can be gold: one of the labels, or a set of them; any text where there are none."""
    if task.set_labels:
        return task.label_set(choice) is not None
    return choice in task.labels or not task.labels


@dataclass(frozen=True, slots=True)
class _Pair:
    """What one rater said of an item, held against what another said. Its `repr` shows no text."""

    item: Item
    rater: str
    said: str = field(repr=False)
    other: str = field(repr=False)


def _pairs(items: dict[str, Item], votes: Sequence[Vote]) -> list[_Pair]:
    """Every two raters of an item, both ways round."""
    said: dict[str, list[Vote]] = {}
    for vote in first_votes(votes):
        if vote.item in items:
            said.setdefault(vote.item, []).append(vote)
    return [
        _Pair(items[item], one.rater, str(one.choice), str(other.choice))
        for item, given in said.items()
        for one, other in permutations(given, 2)
    ]


def _sample(prepared: Prepared, pairs: Sequence[_Pair]) -> Sample:
    task = prepared.task
    groups = np.array([pair.item.group for pair in pairs])
    if task.labels:
        code = {label: number for number, label in enumerate(task.labels)}
        gold = np.array([code[pair.other] for pair in pairs])
        return Sample(groups, gold=gold, predicted=np.array([code[pair.said] for pair in pairs]))
    if task.set_labels:
        return set_sample(task, groups, [pair.other for pair in pairs], [pair.said for pair in pairs])
    scores = [case_score(task, p.said, Example(p.item.example_id, p.item.group, {}, p.other)) for p in pairs]
    return Sample(groups, scores=np.array(scores))
