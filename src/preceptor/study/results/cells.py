"""One arm on one task with one seed, and its answers as arrays."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from preceptor.engine import Cost
from preceptor.evidence import INVALID_CODE, Sample, find_metric
from preceptor.files import digest_file
from preceptor.study.also_asked import Given, also_asked
from preceptor.study.cases import Prepared
from preceptor.study.label_scores.scored import LabelRule
from preceptor.study.label_sets import score_rows, set_sample, with_scores
from preceptor.study.predictions.answer_context import Scores
from preceptor.study.predictions.answering import answered, arms_for, seedless
from preceptor.study.predictions.prediction_files import Prediction, read_note, read_predictions
from preceptor.study.results.snippet_figures import snippet_figures
from preceptor.study.results.snippet_schema import SnippetFigures
from preceptor.study.results.use import bytes_to_load
from preceptor.study.run.failures import EVALUATION, CellError, Failure, Part
from preceptor.study.run.reading import reading
from preceptor.study.score import case_score, gold_label, labels_of
from preceptor.study.spec.found import find_answer
from preceptor.study.stage_tree.ledger import (
    Curve,
    curves,
    delivered,
    learning,
    pair_counts,
    pair_findings,
    sense_findings,
)
from preceptor.study.stage_tree.tree import StageTree
from preceptor.tasks import INVALID

Curves = dict[str, dict[str, Curve]]
"""Stage kind -> what was logged -> its curve."""


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
    curves: Curves = field(default_factory=dict)
    policy: str | None = None
    """The folder of the tuned model that answered, relative to the run folder; None where none did."""
    pair_findings: dict[str, Any] | None = None
    """What was found in the pairs before anything learned from them; None for arms without pairs."""
    sense_findings: dict[str, Any] | None = None
    """What a stage that learned senses found; None for arms without one."""
    seedless: bool = False
    """Whether the arm answers alike with every seed."""
    label_ties: int = 0
    """On how many cases several labels were equally likely, so that chance decided."""
    learning: dict[str, dict[str, int]] = field(default_factory=dict)
    """Stage kind -> slot -> how many of its numbers learned."""
    delivered: dict[str, float] | None = None
    """How much training its last stage was."""
    label_rule: LabelRule | None = None
    """How label scores became its answers; None for answers that were written."""
    form: dict[str, float] | None = None
    """Of its free text on validation cases."""
    threshold: float | None = None
    """Of answers of several labels: the score from which a label was given."""
    without_marker: int = 0
    """On how many cases the marker that a label follows was put behind what the model wrote."""
    own_model: str | None = None
    """The name of its arm's model where that is not the study's."""
    model_bytes: int | None = None
    """Of the weights that must be loaded to answer; None where no model of the study answers."""
    snippets: SnippetFigures | None = None
    """Of an arm whose head weighs snippets."""
    also: Mapping[str, Given] = field(default_factory=dict)
    """What its policy gave to outcomes beside the task, by their names."""

    def sample(self, metric: str) -> Sample:
        """The held-out results as arrays, in the order of the held-out cases."""
        scores = [p.scores for p in self.predictions if p.scores is not None]
        return sample(self.prepared, [p.text for p in self.predictions], metric, scores)


def cells_of(tree: StageTree, prepared: Prepared) -> tuple[list[Cell], list[Failure]]:
    """All arms and seeds of one task, and those of them that failed."""
    cells: list[Cell] = []
    failed: list[Failure] = []
    for seed in tree.study.seeds:
        for arm in arms_for(tree.study, prepared):
            try:
                cells.append(_cell(tree, prepared, arm, seed))
            except CellError as error:
                failed.append(error.cause.of_cell(prepared.task.name, tree.source.name, arm, seed))
    return cells, failed


def _cell(tree: StageTree, prepared: Prepared, arm: str, seed: int) -> Cell:
    folder, done = answered(tree, prepared, arm, seed)
    file, root = folder / "predictions.jsonl", tree.run.root
    one, policy = tree.study.arm(arm), done[-1].policy if done else None
    with tree.costs_one_cell(Part(prepared.task.name, arm, seed, EVALUATION), prepared):
        predictions, note = read_predictions(folder), read_note(folder)
        with reading(file):
            if [one.id for one in predictions] != [example.id for example in prepared.splits.test]:
                raise ValueError("answers to other cases")
        return Cell(
            prepared,
            tree.source.name,
            arm,
            seed,
            predictions,
            tree.cost_of(arm, prepared, seed) + Cost(**note["cost"]),
            float(note["evaluation_seconds"]),
            predictions_file=file.relative_to(root).as_posix(),
            predictions_sha256=digest_file(file),
            pairs=pair_counts(done),
            pair_findings=pair_findings(done),
            sense_findings=sense_findings(done),
            curves=curves(done),
            learning=learning(done),
            delivered=delivered(done),
            policy=policy.relative_to(root).as_posix() if policy else None,
            seedless=seedless(tree.study, arm),
            label_ties=int(note["label_ties"]),
            label_rule=note["label_rule"],
            form=note["form"],
            threshold=note["threshold"],
            without_marker=int(note["without_marker"]),
            own_model=one.model,
            snippets=snippet_figures(prepared, predictions),
            also=also_asked(tree, prepared, arm, seed, done),
            model_bytes=bytes_to_load(tree.source_of(one.model), policy)
            if find_answer(one.answer).asks_policy
            else None,
        )


def sample(prepared: Prepared, texts: Sequence[str], metric: str, scores: Sequence[Scores] = ()) -> Sample:
    """`texts` (what was answered to each held-out case) as arrays for `metric`, with `scores` if all have them."""
    task, examples = prepared.task, prepared.splits.test
    answers = [task.parse(text) for text in texts]
    if task.answer.kind == "label":
        positives = tuple(task.labels.index(label) for label in labels_of(task, metric))
        found = Sample(_patients(prepared), _gold(prepared), _codes(answers, task.labels), positives=positives)
        if len(scores) < len(texts) or find_metric(metric).fits != "label_scores":
            return found
        return replace(found, label_scores=np.array([[one.get(label, 0.0) for label in task.labels] for one in scores]))
    if task.set_labels:
        targets = [example.target for example in examples]
        found = set_sample(task, _patients(prepared), targets, texts, labels_of(task, metric))
        return with_scores(found, find_metric(metric), score_rows(task, scores) if len(scores) == len(texts) else None)
    given = np.array([case_score(task, t, e, metric) for t, e in zip(texts, examples, strict=True)])
    unread = np.array([INVALID_CODE if answer == INVALID else 0 for answer in answers])
    return Sample(_patients(prepared), predicted=unread, scores=given)


def dangerous_labels(prepared: Prepared) -> tuple[str, ...]:
    """The labels that must not be missed: the positive ones that the task names for a metric; else none."""
    also = prepared.task.secondary_metrics if prepared.task.labels else ()
    return next((one.labels for one in also if find_metric(one.metric).needs_positives), ())


def majority_sample(prepared: Prepared) -> Sample | None:
    """Every held-out case answered with the label that most training cases have; None for free text."""
    labels = prepared.task.labels
    if not labels:
        return None
    count = Counter(gold_label(prepared.task, example) for example in prepared.splits.train)
    gold, commonest = _gold(prepared), max(labels, key=lambda label: count[label])
    return Sample(_patients(prepared), gold=gold, predicted=np.full(len(gold), labels.index(commonest)))


def _patients(prepared: Prepared) -> np.ndarray[Any, np.dtype[np.str_]]:
    return np.array([example.group for example in prepared.splits.test])


def _gold(prepared: Prepared) -> np.ndarray[Any, np.dtype[np.int64]]:
    return _codes([gold_label(prepared.task, e) for e in prepared.splits.test], prepared.task.labels)


def _codes(answers: Sequence[str], labels: Sequence[str]) -> np.ndarray[Any, np.dtype[np.int64]]:
    code = {label: index for index, label in enumerate(labels)}
    return np.array([code.get(answer, INVALID_CODE) for answer in answers], dtype=np.int64)
