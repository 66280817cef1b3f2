"""The entry of each cell in `results.json`: its metrics with intervals, its confusion matrix, its cost."""

import numpy as np

from preceptor.evidence import Estimate, estimate, find_metric
from preceptor.study.cases import Prepared
from preceptor.study.results import cell_schema
from preceptor.study.results.cells import Cell, majority_sample
from preceptor.study.results.senses_schema import SenseFindings


def measure(prepared: Prepared, cell: Cell) -> cell_schema.Cell:
    """A cell's entry in `results.json`."""
    task, findings = prepared.task, cell.pair_findings
    main = _estimate(task.metric, cell)
    return cell_schema.Cell(
        task=task.name,
        model=cell.model,
        own_model=cell.own_model,
        arm=cell.arm,
        seed=cell.seed,
        metric=task.metric,
        value=main.value,
        ci=(main.low, main.high),
        n=main.n,
        patients=main.patients,
        invalid_rate=main.invalid_rate,
        never_predicted=_never_predicted(prepared, cell),
        label_ties=cell.label_ties,
        label_scoring=_label_scoring(prepared, cell),
        threshold=cell.threshold,
        unknown_labels=_unknown_labels(prepared, cell),
        length_ratio=_length_ratio(prepared, cell),
        cost=cell_schema.Cost.model_validate(cell.cost, from_attributes=True),
        evaluation_seconds=cell.evaluation_seconds,
        use=cell_schema.Use(
            seconds=1000 * cell.evaluation_seconds / len(cell.predictions), model_bytes=cell.model_bytes
        ),
        predictions=cell_schema.Predictions(path=cell.predictions_file, sha256=cell.predictions_sha256),
        pairs=cell.pairs,
        pair_findings=None if findings is None else cell_schema.PairFindings.model_validate(findings),
        senses=None if (told := cell.sense_findings) is None else SenseFindings.model_validate(told, strict=False),
        curves=cell.curves,
        learning=cell.learning,
        delivered=None if cell.delivered is None else cell_schema.Delivered.model_validate(cell.delivered),
        policy=cell.policy,
        also={extra.metric: _estimate(extra.metric, cell).value for extra in task.secondary_metrics},
        confusion=_confusion(prepared, cell) if task.labels else None,
        snippets=cell.snippets,
    )


def majority_value(prepared: Prepared) -> float | None:
    """What the main metric would be if every answer were the majority answer."""
    everywhere = majority_sample(prepared)
    if everywhere is None:
        return None
    return estimate(find_metric(prepared.task.metric), everywhere).value


def _estimate(metric: str, cell: Cell) -> Estimate:
    return estimate(find_metric(metric), cell.sample(metric))


def _label_scoring(prepared: Prepared, cell: Cell) -> cell_schema.LabelScoring | None:
    rule = cell.label_rule
    if rule is None:
        return None
    return cell_schema.LabelScoring(
        tau=rule.tau,
        probabilities_tau=rule.probabilities_tau,
        without_marker=cell.without_marker if prepared.task.answer.parser == "final_answer" else None,
        form=None if cell.form is None else cell_schema.Form.model_validate(cell.form),
    )


def _never_predicted(prepared: Prepared, cell: Cell) -> list[str]:
    """Labels that some held-out case has and no answer gave."""
    if prepared.task.set_labels:
        right, given, _ = cell.sample(prepared.task.metric).sets()
        missed = np.flatnonzero(right.any(axis=0) & ~given.any(axis=0))
        return [prepared.task.set_labels[label] for label in missed]
    if not prepared.task.labels:
        return []
    gold, predicted = cell.sample(prepared.task.metric).labels()
    return [prepared.task.labels[code] for code in sorted(set(gold.tolist()) - set(predicted.tolist()))]


def _unknown_labels(prepared: Prepared, cell: Cell) -> int:
    """Labels in the answers that the task does not have."""
    unknown = cell.sample(prepared.task.metric).unknown
    return 0 if unknown is None else int(unknown.sum())


def _length_ratio(prepared: Prepared, cell: Cell) -> float | None:
    """Mean characters of the answers over those of gold; None for labels."""
    if prepared.task.labels or prepared.task.set_labels:
        return None
    gold = sum(len(example.target) for example in prepared.splits.test)
    return sum(len(prediction.text) for prediction in cell.predictions) / gold if gold else None


def _confusion(prepared: Prepared, cell: Cell) -> cell_schema.Confusion:
    labels = list(prepared.task.labels)
    matrix = np.zeros((len(labels), len(labels) + 1), dtype=int)
    gold, predicted = cell.sample(prepared.task.metric).labels()
    np.add.at(matrix, (gold, predicted), 1)  # -1, INVALID, is the last column
    return cell_schema.Confusion(labels=labels, matrix=matrix.tolist())
