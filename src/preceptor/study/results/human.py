"""What raters said of held-out answers, as an outcome of the study: blind, paired by patient, told rater by rater."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from preceptor.evidence import (
    Comparison,
    Sample,
    benjamini_hochberg,
    compare,
    compared_fields,
    find_metric,
    judge,
    sentence,
)
from preceptor.preferences import first_votes, is_of, rater_agreement
from preceptor.preferences.labelling import COUNTS, Answer, Item, Vote, read_round, working_seconds
from preceptor.study.cases import Prepared
from preceptor.study.label.held_out import differing, source_of
from preceptor.study.results.cells import Cell
from preceptor.study.results.human_agreement import human_agreement
from preceptor.study.results.rater_schema import AgreementPart, Human, Rater
from preceptor.study.results.schema import RatersWork, Results
from preceptor.study.run.folder import RunFolder

PREFERENCE = "preference"
"""1 for the better answer, 0 for the other, a half each where neither was better."""

_PREFERENCE = {"a": (1.0, 0.0), "b": (0.0, 1.0), "tie": (0.5, 0.5), "both_bad": (0.5, 0.5)}

Points = dict[str, dict[str, tuple[float, float]]]
"""Case -> rater -> points of arm a and of arm b."""


def with_human(
    results: Results,
    run: RunFolder,
    tasks: Sequence[Prepared],
    cells: Sequence[Cell],
    *,
    gold: Mapping[str, Path],
    votes: Path | None,
) -> Results:
    """The results with what raters said: `human`, each task's `human_agreement`, and the time it took them.

    `gold` names the store of gold labels of a task that has one. Raises `InputError` for a store that cannot be read.
    """
    found = {one.task.name: human_agreement(gold[one.task.name], one) for one in tasks if one.task.name in gold}
    agreed = [task.model_copy(update={"human_agreement": found.get(task.name)}) for task in results.study.tasks]
    changes = {
        "study": results.study.model_copy(update={"tasks": agreed}),
        "human": human_outcomes(run, cells, votes, {arm.name: arm.phrase for arm in results.arms}),
        "clinician_seconds": clinician_seconds(run, gold=gold.values(), votes=votes),
    }
    return results.model_copy(update=changes)


def clinician_seconds(run: RunFolder, *, gold: Iterable[Path], votes: Path | None) -> dict[RatersWork, float]:
    """How long raters worked at what this study rests on; {} where no store of theirs is part of it."""
    scored = held_out_store(run)
    stores: dict[RatersWork, list[Path]] = {
        "gold": list(dict.fromkeys(gold)),
        "pairs": [votes] if votes else [],
        "held_out": [scored] if scored.is_file() else [],
    }
    return {what: sum(working_seconds(read_round(one)[1]) for one in some) for what, some in stores.items() if some}


def human_outcomes(
    run: RunFolder, cells: Sequence[Cell], votes: Path | None, phrases: Mapping[str, str]
) -> list[Human]:
    """The entries of `human` in `results.json`: one for each task and each thing that raters gave points for.

    `votes` is the store whose pairs an arm was trained on, if any: raters who voted there too are marked. Scores of
    answers that the arms do not give any more count for nothing and are counted. p-values are adjusted over all entries
    by Benjamini and Hochberg's method.
    """
    store = held_out_store(run)
    if not store.is_file():
        return []
    items, given = read_round(store)
    trainers = {vote.rater for vote in read_round(votes)[1]} if votes else set()
    found = [one for arms in _rated(items, cells) for one in _compared(arms, given)]
    adjusted = benjamini_hochberg([one.comparison.p for one in found])
    return [_entry(one, p, trainers, phrases) for one, p in zip(found, adjusted, strict=True)]


def held_out_store(run: RunFolder) -> Path:
    """Where the scores of held-out answers lie."""
    return run.root / "labels" / "held_out.sqlite"


@dataclass(frozen=True, slots=True)
class _Arms:
    """Two arms of a task with one seed; `items` hold what they answer now, `outdated` counts those that do not."""

    prepared: Prepared
    a: str
    b: str
    seed: int
    items: list[Item]
    outdated: int
    differing: int


@dataclass(frozen=True, slots=True)
class _Found:
    arms: _Arms
    scale: str
    points: Points
    comparison: Comparison
    agreement: AgreementPart | None


def _rated(items: Sequence[Item], cells: Sequence[Cell]) -> Iterator[_Arms]:
    """The arms that a store's items are about, and which of these still show their answers."""
    for a in cells:
        for b in cells:
            if a.prepared is b.prepared and a.seed == b.seed and a is not b:
                sources = (source_of(a.arm, a.seed), source_of(b.arm, b.seed))
                task = a.prepared.task
                own = [i for i in items if is_of(task, i) and tuple(one.source for one in i.answers) == sources]
                if own:
                    said = _said(a, b, sources)
                    now = [item for item in own if said.get(item.example_id) == item.answers]
                    differ = sum(differing(task, *pair) for pair in said.values())
                    yield _Arms(a.prepared, a.arm, b.arm, a.seed, now, len(own) - len(now), differ)


def _said(a: Cell, b: Cell, sources: tuple[str, str]) -> dict[str, tuple[Answer, Answer]]:
    theirs = {one.id: one.text for one in b.predictions}
    return {
        one.id: (Answer(one.text, sources[0]), Answer(theirs[one.id], sources[1]))
        for one in a.predictions
        if one.id in theirs
    }


def _compared(arms: _Arms, votes: Sequence[Vote]) -> Iterator[_Found]:
    agreements = {one.what: one.found for one in rater_agreement(arms.items, votes)}
    for scale, points in _points(arms.items, votes).items():
        group_of = {item.example_id: item.group for item in arms.items}
        groups = np.array([group_of[case] for case in points])
        means = np.array([np.mean(list(given.values()), axis=0) for given in points.values()])
        a, b = (Sample(groups, scores=means[:, side]) for side in (0, 1))
        comparison = compare(find_metric("mean_score"), [a], [b])
        found = agreements.get(scale)
        agreed = AgreementPart.model_validate(found, from_attributes=True) if found and found.items else None
        yield _Found(arms, scale, points, comparison, agreed)


def _points(items: Sequence[Item], votes: Sequence[Vote]) -> dict[str, Points]:
    """Scale -> what each rater gave each case, in the order of the items' ids."""
    item_of = {item.id: item for item in items}
    found: dict[str, Points] = {}
    for vote in sorted(first_votes(votes), key=lambda one: (one.item, one.rater)):
        if item := item_of.get(vote.item):
            given = {scale: (float(points["a"]), float(points["b"])) for scale, points in vote.scores.items()}
            for scale, pair in {PREFERENCE: _PREFERENCE[str(vote.choice)], **given}.items():
                found.setdefault(scale, {}).setdefault(item.example_id, {})[vote.rater] = pair
    return found


def _entry(found: _Found, p_adjusted: float, trainers: set[str], phrases: Mapping[str, str]) -> Human:
    arms, comparison, task = found.arms, found.comparison, found.arms.prepared.task
    higher = found.scale not in COUNTS  # of what is left out or made up, less is better
    judgement = judge(comparison, p_adjusted, better="higher" if higher else "lower")
    means = np.mean([np.mean(list(given.values()), axis=0) for given in found.points.values()], axis=0)
    return Human(
        task=task.name,
        a=arms.a,
        b=arms.b,
        seed=arms.seed,
        scale=found.scale,
        higher_is_better=higher,
        mean_a=float(means[0]),
        mean_b=float(means[1]),
        p_adjusted=p_adjusted,
        sentence=sentence(
            comparison,
            judgement,
            task=task.name,
            metric=f"{found.scale} by raters",
            a=phrases[arms.a],
            b=phrases[arms.b],
            p_adjusted=p_adjusted,
        ),
        raters=_by_rater(found.points, trainers),
        agreement=found.agreement,
        held_out=len(arms.prepared.splits.test),
        outdated=arms.outdated,
        **compared_fields(comparison, judgement) | {"differing": arms.differing},
    )


def _by_rater(points: Points, trainers: set[str]) -> list[Rater]:
    raters: dict[str, list[tuple[float, float]]] = {}
    for given in points.values():
        for rater, pair in given.items():
            raters.setdefault(rater, []).append(pair)
    return [
        Rater(
            rater=rater,
            n=len(pairs),
            mean_a=float(np.mean([a for a, _ in pairs])),
            mean_b=float(np.mean([b for _, b in pairs])),
            delta=float(np.mean([a - b for a, b in pairs])),
            also_made_training_pairs=rater in trainers,
        )
        for rater, pairs in sorted(raters.items())
    ]
