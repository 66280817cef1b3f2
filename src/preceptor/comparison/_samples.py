"""From rows to the arrays that `evidence` compares."""

from collections.abc import Collection, Iterator, Sequence

import numpy as np

from preceptor.comparison._rows import LABEL_SCORES, by_id, number_of, scores_of, text_of
from preceptor.data import Row, Table, quoted
from preceptor.errors import Problem
from preceptor.evidence import INVALID_CODE, Metric, Sample
from preceptor.tasks import INVALID

TAKES_LABELS = ("labels", "label_scores")
"""What a metric fits that compares answers with right ones; all others rate a score."""


def sample_of(table: Table, cases: Sequence[str], groups: Sequence[str], score: str, answer: str) -> Sample:
    """One file's scores, in the order of `cases`."""
    rows = in_order(table, cases)
    invalid = [INVALID_CODE if text_of(row, answer) == INVALID else 0 for row in rows]
    scores = np.array([number_of(row.cells[score]) for row in rows], dtype=float)
    return Sample(np.array(groups), predicted=np.array(invalid), scores=scores)


def label_samples(
    metric: Metric,
    tables: Sequence[Table],
    cases: Sequence[str],
    groups: Sequence[str],
    gold: Sequence[str],
    answer: str,
) -> list[Sample]:
    """Each file's answers beside the right ones, in the order of `cases`.

    Labels are those that are right in some case, and those that have scores. Any other answer is INVALID.
    """
    ordered = [in_order(table, cases) for table in tables]
    scored = metric.fits == "label_scores"
    labels = sorted({*gold, *(labels_with_scores(ordered) if scored else ())})
    code = {label: number for number, label in enumerate(labels)}
    right = np.array([code[label] for label in gold])
    found = []
    for table, rows in zip(tables, ordered, strict=True):
        given = np.array([code.get(text_of(row, answer), INVALID_CODE) for row in rows])
        scores = label_scores_of(rows, labels) if scored and LABEL_SCORES in table.columns else None
        found.append(Sample(np.array(groups), right, given, label_scores=scores))
    return found


def foreign_answers(table: Table, gold: Collection[str], answer: str) -> Iterator[Problem]:
    """A file none of whose answers is right in any case: of another column or spelling, which no arm is worse for."""
    given = {text_of(row, answer) for row in table.rows} - {INVALID}
    if given and given.isdisjoint(gold):
        what = (
            f"column {quoted(answer)}: no answer is one of the {len(set(gold))} right answers, case and spaces counted"
        )
        yield Problem(str(table.path), what, "Write labels as they are in the right answers, or name another column")


def labels_with_scores(files: Sequence[Sequence[Row]]) -> set[str]:
    """Every label that a row of a file has a score for."""
    return {label for rows in files for row in rows for label in scores_of(row)}


def in_order(table: Table, cases: Sequence[str]) -> list[Row]:
    """The rows of a file in the order of `cases`."""
    rows = by_id(table)
    return [rows[case] for case in cases]


def label_scores_of(rows: Sequence[Row], labels: Sequence[str]) -> "np.ndarray[tuple[int, int], np.dtype[np.float64]]":
    """(cases, labels); a label that has no score has 0."""
    given = [[number_of(scores.get(label, 0)) for label in labels] for scores in map(scores_of, rows)]
    return np.array(given, dtype=float)
