"""Puts `results.json` together: the study, its tasks, its cells, and what follows from them."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from preceptor.chat_server import ChatServer
from preceptor.data import NEAR_DUPLICATE
from preceptor.evidence import find_metric
from preceptor.files import digest
from preceptor.models import ModelSource
from preceptor.study.cases import Checked, Prepared, case_text
from preceptor.study.predictions.answering import why_left_out
from preceptor.study.predictions.prediction_files import read_note
from preceptor.study.results.cells import Cell, dangerous_labels
from preceptor.study.results.conclusions import conclusions
from preceptor.study.results.contrasts import contrasts, not_compared
from preceptor.study.results.could_have_seen import could_have_seen
from preceptor.study.results.interactions import interactions_of
from preceptor.study.results.measure import majority_value, measure
from preceptor.study.results.outcomes import outcome_contrasts, outcome_parts, outcome_values
from preceptor.study.results.power import power_of
from preceptor.study.results.schema import ArmPart, Design, Endpoint, LeftOut, MetricPart, Model, Results, StudyPart
from preceptor.study.results.spike import effective_number, spike_finding
from preceptor.study.results.subgroups import dates_of, subgroups_of
from preceptor.study.results.task_evidence import by_task_and_model
from preceptor.study.results.task_schema import Counts, Extra, SpikePart, TaskPart, ViewPart
from preceptor.study.run.failures import Failure
from preceptor.study.run.folder import RunFolder
from preceptor.study.run.provenance import provenance, versions
from preceptor.study.run.test_set_ledger import record_use
from preceptor.study.spec.study import Study

_NO_OTHERS: Mapping[str, ModelSource] = {}


def results_of(
    study: Study,
    source: ModelSource,
    run: RunFolder,
    design: Design,
    tasks: Sequence[tuple[Checked, Prepared]],
    cells: Sequence[Cell],
    command: str,
    failed: Sequence[Failure] = (),
    others: Mapping[str, ModelSource] = _NO_OTHERS,
    not_asked: Mapping[str, str] | None = None,
    not_answered: Mapping[str, list[Failure]] | None = None,
) -> Results:
    """All that `results.json` holds, without raters. Whoever asks for it looks at the test sets; the look is noted."""
    parts = [_task(study, run, checked, prepared, cells, len(tasks)) for checked, prepared in tasks]
    margins = {prepared.task.name: prepared.entry.margin for _, prepared in tasks}
    measured = [measure(cell.prepared, cell) for cell in cells]
    compared = contrasts(cells, study.resolved, study.primary_contrasts, margins, failed)
    spikes = [
        found
        for part, (_, prepared) in zip(parts, tasks, strict=True)
        if (found := spike_finding(study, part, measured, compared, _weight(prepared)))
    ]
    evidence = by_task_and_model(compared, measured, parts, study.resolved, failed)
    seen = [box for one in evidence if (box := could_have_seen(one, spikes))]
    metrics = dict.fromkeys(name for part in parts for name in (part.metric, *(extra.metric for extra in part.also)))
    return Results(
        study=StudyPart(
            name=study.name,
            question=study.question,
            model=Model(name=source.name, title=source.title),
            models={name: Model(name=one.name, title=one.title) for name, one in others.items()},
            endpoint=_endpoint(study),
            seeds=list(study.seeds),
            arms=list(study.arm_names),
            makers=list(study.makers),
            tasks=parts,
        ),
        exploratory=design.changed or any(task.looked_at_before for task in parts),
        design=design,
        versions=versions(),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        command=command,
        made_from=provenance(run),
        arms=[ArmPart.model_validate(arm, from_attributes=True) for arm in study.resolved.values()],
        metrics=[MetricPart.model_validate(find_metric(name), from_attributes=True) for name in metrics],
        cells=measured,
        failed=list(failed),
        left_out=[
            LeftOut(task=prepared.task.name, arm=arm, reason=reason)
            for _, prepared in tasks
            for arm in study.arm_names
            if (reason := why_left_out(study, prepared, arm))
        ],
        contrasts=compared,
        not_compared=not_compared(cells, study.resolved, study.primary_contrasts, failed),
        conclusions=conclusions(compared, measured, parts, study.resolved, failed, seen),
        spikes=spikes,
        could_have_seen=seen,
        outcomes=outcome_parts(cells, study.also, not_asked or {}, not_answered or {}),
        outcome_values=outcome_values(cells),
        outcome_contrasts=outcome_contrasts(cells, study.resolved, study.primary_contrasts),
    )


def _task(
    study: Study, run: RunFolder, checked: Checked, prepared: Prepared, cells: Sequence[Cell], tasks: int
) -> TaskPart:
    task, splits, spike = prepared.task, prepared.splits, prepared.entry.data.spike
    own = [cell for cell in cells if cell.prepared is prepared]
    answers = digest(sorted([cell.model, cell.arm, str(cell.seed), cell.predictions_sha256] for cell in own))
    return TaskPart(
        name=task.name,
        title=task.title,
        metric=task.metric,
        also=[Extra(metric=extra.metric, labels=list(extra.labels)) for extra in task.secondary_metrics],
        labels=list(task.labels),
        set_labels=list(task.set_labels),
        dangerous=list(dangerous_labels(prepared)),
        margin=prepared.entry.margin,
        synthetic=prepared.synthetic,
        spike=SpikePart.model_validate(spike, from_attributes=True) if spike else None,
        counts=Counts(
            train=len(splits.train),
            validation=len(splits.validation),
            test=len(splits.test),
            groups_test=prepared.test_patients,
        ),
        dates=dates_of(prepared),
        subgroups=subgroups_of(prepared, own),
        interactions=interactions_of(prepared, own),
        views=[_view(name, prepared) for name in prepared.views],
        test_sha256=prepared.test_set,
        looks=record_use(prepared.test_set, answers, study.name) if own else 0,
        leakage=_leakage(checked),
        power=power_of(prepared, study, tasks),
        shots={
            str(cell.seed): read_note((run.root / cell.predictions_file).parent).get("shots", {})
            for cell in own
            if study.arm(cell.arm).answer == "shots"
        },
        majority=majority_value(prepared),
    )


def _view(name: str, prepared: Prepared) -> ViewPart:
    seen = prepared.views[name]
    words = [len(case_text(seen.task, case).split()) for case in seen.splits.test]
    return ViewPart(
        name=name,
        known=prepared.entry.views[name].known,
        words=sum(words) / len(words),
        label_share=seen.named.share,
        by_chance=seen.named.by_chance,
    )


def _weight(prepared: Prepared) -> float:
    return effective_number([one.group for one in prepared.splits.test]) if prepared.splits.test else 0.0


def _leakage(checked: Checked) -> list[str]:
    """Of what preflight found, what makes the held-out cases too easy; how many cases, never which."""
    return [
        f"{len(found.ids)} test cases nearly repeat the text of a case in an earlier split"
        for found in checked.preflight.findings
        if found.code == NEAR_DUPLICATE and found.split == "test"
    ]


def _endpoint(study: Study) -> Endpoint | None:
    """The server that an arm asks, where one does."""
    servers = (study.block(arm.answer) for arm in study.resolved.values())
    return next((Endpoint(url=one.url, model=one.model) for one in servers if isinstance(one, ChatServer)), None)
