"""What raters said: their scores of held-out answers arm against arm, and how far they agree with each other."""

from collections.abc import Sequence
from dataclasses import dataclass

from preceptor.evidence import metric_title
from preceptor.report import _numbers as numbers
from preceptor.report._small_counts import Show, shown_count
from preceptor.study.results.rater_schema import AgreementPart, Human, HumanAgreement, Rater
from preceptor.study.results.schema import Results
from preceptor.study.results.task_schema import TaskPart

_LEAST_ALPHA = 0.667
"""Below it not even tentative conclusions should rest on what raters say (Krippendorff, Content Analysis, 2004)."""

_TITLES = {
    "preference": "Preferred, share of cases",
    "quality": "Quality, 1 to 5",
    "omissions": "Omissions, how many",
    "fabrications": "Fabrications, how many",
}


@dataclass(frozen=True)
class ScaleRows:
    """One thing that raters scored: all raters together, then one by one, each with a name and how many cases.

    Raters have numbers for names: a page that goes to a committee needs no others.
    """

    title: str
    human: Human
    cases: str
    raters: list[tuple[str, str, Rater]]


@dataclass(frozen=True)
class AgreementRow:
    """How far raters agree in one thing that was asked; `items`, rated by two or more, as they may be printed."""

    title: str
    items: str
    found: AgreementPart


@dataclass(frozen=True)
class RatersOfTask:
    """What raters said on one task: of two arms, where they scored any, and of its gold labels, where they gave any."""

    task: TaskPart
    arms: tuple[str, str] | None
    seen: str
    scales: list[ScaleRows]
    gold: str
    agreements: list[AgreementRow]
    warnings: list[str]


def raters_of_tasks(results: Results, *, with_text: bool) -> list[RatersOfTask]:
    """The tasks on which raters said anything, in the order of the study; small counts of real cases `with_text`."""
    found = []
    for task in results.study.tasks:
        scored, gold = [one for one in results.human if one.task == task.name], task.human_agreement
        if scored or gold:
            show = numbers.count if with_text or task.synthetic else shown_count
            found.append(_of_task(task, scored, gold, show))
    return found


def gold_sentence(gold: HumanAgreement, show: Show) -> str:
    """How well raters do against each other, in the metric that the models are measured with."""
    interval = f" {numbers.interval(gold.ci)}" if numbers.interval(gold.ci) else ""
    return (
        f"Raters who gave the gold labels, each held against each other: {metric_title(gold.metric)} "
        f"{numbers.value(gold.value)}{interval}, {gold.raters} raters, {show(gold.items)} cases."
    )


def _of_task(task: TaskPart, scored: Sequence[Human], gold: HumanAgreement | None, show: Show) -> RatersOfTask:
    names = sorted({rater.rater for one in scored for rater in one.raters})
    number_of = {name: f"Rater {place}" for place, name in enumerate(names, start=1)}
    asked = [(_title(one.scale), one.agreement) for one in scored] + [("Gold label", gold.agreement if gold else None)]
    agreements = [AgreementRow(title, show(found.items), found) for title, found in asked if found]
    first = scored[0] if scored else None
    return RatersOfTask(
        task,
        (first.a, first.b) if first else None,
        _seen(first, show) if first else "",
        [_rows(one, number_of, show) for one in scored],
        gold_sentence(gold, show) if gold else "",
        agreements,
        [*_taught(scored, number_of), *_outdated(scored, show), *_hardly_agree(agreements)],
    )


def _title(scale: str) -> str:
    return _TITLES.get(scale, scale)


def _seen(one: Human, show: Show) -> str:
    return (
        f"Raters saw cases on which the two say different things, without knowing which said what: {show(one.n)} of "
        f"{show(one.differing)}, among {numbers.count(one.held_out)} held-out cases. On the others the two are alike."
    )


def _rows(one: Human, number_of: dict[str, str], show: Show) -> ScaleRows:
    raters = [(number_of[rater.rater], show(rater.n), rater) for rater in one.raters]
    return ScaleRows(_title(one.scale), one, show(one.n), raters)


def _taught(scored: Sequence[Human], number_of: dict[str, str]) -> list[str]:
    marked = sorted({number_of[r.rater] for one in scored for r in one.raters if r.also_made_training_pairs})
    return [f"{name} also made pairs that a model was trained on, and may like what they taught." for name in marked]


def _outdated(scored: Sequence[Human], show: Show) -> list[str]:
    cases = max((one.outdated for one in scored), default=0)
    if not cases:
        return []
    return [f"Left out: {show(cases)} cases that were scored on answers which the arms do not give any more."]


def _hardly_agree(agreements: Sequence[AgreementRow]) -> list[str]:
    alphas = [(one.title, one.found.alpha.value) for one in agreements]
    advice = "raters agree too little for even tentative conclusions by Krippendorff's rule (alpha of .667 at least)"
    return [f"{title}: {advice}." for title, alpha in alphas if alpha is not None and alpha < _LEAST_ALPHA]
