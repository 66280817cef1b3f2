"""`compare_predictions`: two files of predictions in, what they show out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf
from os import PathLike
from pathlib import Path
from typing import Any

from preceptor.comparison._across import Lookup, case_problems, find, value_problems, values
from preceptor.comparison._result import PredictionsCompared
from preceptor.comparison._rows import (
    by_id,
    column_problems,
    id_problems,
    label_score_problems,
    number_of,
    score_problems,
    text_problems,
)
from preceptor.comparison._samples import TAKES_LABELS, foreign_answers, label_samples, sample_of
from preceptor.comparison._sets import RATES_SETS, SetForm, set_form_problems, set_samples
from preceptor.comparison._sources import number_of_files, read_arm
from preceptor.data import EACH_ROW, Table, did_you_mean
from preceptor.errors import InputError, Problem, shortened
from preceptor.evidence import (
    COMPARING,
    ESTIMATING,
    Metric,
    Sample,
    compare,
    compared_fields,
    estimate,
    find_metric,
    judge,
    metric_names,
    metric_title,
    sentence,
    value_of,
)
from preceptor.progress import late_progress
from preceptor.tasks import composed

Predictions = str | PathLike[str] | Any
"""A file or a DataFrame of pandas."""

_MOST_PROBLEMS = 40
_LONGEST_NAME = 30
"""Characters of a file's name within a sentence; logs have the date and an id in theirs."""
_UNSAID = {
    "gold": (
        "nothing says which answers are right",
        "Name a column of the files, a file with `id` and `gold`, or a mapping from id to right answer",
    ),
    "group": (
        "nothing says which cases are one patient's",
        f"Name a column of the files or a file with `id` and `group`; without a patient column say `{EACH_ROW}`",
    ),
}
"""What is missing, and what to do."""

_COMPARES = {*TAKES_LABELS, *RATES_SETS}
"""What a metric fits that compares answers with right ones; all others rate a score."""

_OF_ALL_FILES = 4
"""What is done with all files together, beside reading and checking each: cases, patients, right answers, arrays."""

_TASK = "these cases"
"""What stands in the sentence where a study has the name of a task."""


@dataclass(frozen=True, slots=True)
class _Columns:
    answer: str
    score: str
    sets: SetForm | None


def compare_predictions(
    a: Predictions | Sequence[Predictions],
    b: Predictions | Sequence[Predictions],
    *,
    metric: str,
    group: str | PathLike[str] | Mapping[Any, Any] | Any = None,
    gold: str | PathLike[str] | Mapping[Any, Any] | Any = None,
    margin: float | None = None,
    answer: str = "answer",
    score: str = "score",
    separator: str | None = None,
    empty: str | None = None,
) -> PredictionsCompared:
    """What two files of predictions for the same cases show: the statistics of a study, a minus b.

    a, b: JSON lines, JSON, CSV, XLSX or Parquet with the columns `id`, and `answer` (a label) or `score` (a number); a
    DataFrame of the same columns; a log of inspect_ai or lm-evaluation-harness; a run's `predictions.jsonl`. A list is
    one file for each seed, paired in order.
    metric: one that a task file may name. Those of labels compare `answer` with `gold`; all others rate `score`.
    group: the patient of each case: a column of the files, a mapping from id to patient, or a file or DataFrame that
    has both; `each row` says that each case is another patient.
    gold: the right answers, likewise; default: the column `gold`.
    margin: the least difference that matters, in the metric's unit; without one, nothing is ever called equivalent.
    answer, score: other names of these columns.
    separator: what stands between two labels where answers are sets of them, as for `jaccard`; empty: the word for no
    label, where a case may have none.

    An answer that is right in no case counts as INVALID: wrong, never missing; a file of such answers alone is refused.
    Raises InputError with every problem.
    """
    columns = _Columns(
        answer, score, SetForm(separator, composed(str(empty).strip()) if empty else None) if separator else None
    )
    found = find_metric(metric) if metric in metric_names() else None
    with late_progress("Reading", 2 * (number_of_files(a) + number_of_files(b)) + _OF_ALL_FILES) as advance:
        (ours, unread), (theirs, unread_too) = read_arm(a, "a", advance), read_arm(b, "b", advance)
        files, all_read = [*ours, *theirs], not unread and not unread_too
        limit = _largest_difference(found, files, score) if found else inf
        of_sets = set_form_problems(found, separator, empty) if found else ()
        problems = [*_metric_problems(metric), *of_sets, *_margin_problems(margin, limit), *unread, *unread_too]
        for table in files:
            problems += [*id_problems(table), *(_answer_problems(table, found, columns) if found else ())]
            advance()
        if all_read:
            problems += [*_seed_problems(ours, theirs), *case_problems(files)]
        advance()
        each_row = isinstance(group, str) and group == EACH_ROW
        patients = None if each_row else _lookup("group", group, files, problems)
        advance()
        asks_gold = found.fits in _COMPARES if found and all_read else gold is not None
        right = _lookup("gold", gold, files, problems) if asks_gold else None
        advance()
        if problems or found is None:
            raise InputError(
                shortened(problems, _MOST_PROBLEMS, "a and b", "problems like these", "Start with those above")
            )
        samples = _samples(found, files, patients, right, columns)
        advance()
    return _compared(found, samples[: len(ours)], samples[len(ours) :], _names(a, b), margin)


def _samples(
    metric: Metric, files: Sequence[Table], patients: Lookup | None, right: Lookup | None, columns: _Columns
) -> list[Sample]:
    """Each file as arrays, all in the order of the first."""
    cases = list(by_id(files[0]))
    of_case = values(patients) if patients else dict(zip(cases, cases, strict=True))
    groups = [of_case[case] for case in cases]
    if right is None:
        return [sample_of(table, cases, groups, columns.score, columns.answer) for table in files]
    answers = values(right)
    gold = [answers[case] for case in cases]
    if columns.sets is not None:
        samples = set_samples(metric, files, cases, groups, gold, columns.sets, columns.answer)
    elif foreign := [problem for table in files for problem in foreign_answers(table, gold, columns.answer)]:
        raise InputError(foreign)
    else:
        samples = label_samples(metric, files, cases, groups, gold, columns.answer)
    if any(value_of(metric, sample) is None for sample in samples):
        what = f"{metric_title(metric.name)} is undefined for these cases, whose right answers are all the same"
        raise InputError(Problem("metric", what, "Give cases of every label, or name another metric"))
    return samples


def _compared(
    metric: Metric, a: Sequence[Sample], b: Sequence[Sample], names: tuple[str, str], margin: float | None
) -> PredictionsCompared:
    with late_progress("Comparing", COMPARING + ESTIMATING * len([*a, *b])) as advance:
        comparison = compare(metric, a, b, advance=advance)
        estimates = [tuple(estimate(metric, sample, advance=advance) for sample in side) for side in (a, b)]
    p = comparison.p  # of one comparison there is nothing to adjust for
    judgement = judge(comparison, p, margin, better=metric.better)
    said = sentence(comparison, judgement, task=_TASK, metric=metric.name, a=names[0], b=names[1], p_adjusted=p)
    return PredictionsCompared(
        metric=metric.name,
        margin=margin,
        names=names,
        a=estimates[0],
        b=estimates[1],
        **compared_fields(comparison, judgement),
        sentence=said,
    )


def _metric_problems(metric: str) -> list[Problem]:
    fitting = [name for name in metric_names() if not _needs_positives(name)]
    fix = f"{did_you_mean(str(metric), fitting)}Choose of {', '.join(fitting)}"
    if metric not in metric_names():
        return [Problem("metric", f"there is no metric {metric!r}", fix)]
    if _needs_positives(metric):
        return [Problem("metric", f"{metric!r} needs positive labels, which only a task file can name", fix)]
    return []


def _needs_positives(name: str) -> bool:
    found = find_metric(name)
    return found.needs_positives and found.fits in TAKES_LABELS


def _margin_problems(margin: float | None, limit: float) -> list[Problem]:
    """A margin that is no difference; `limit` is the largest that there can be."""
    is_number = isinstance(margin, int | float) and not isinstance(margin, bool)
    if margin is None or (is_number and 0 < margin <= limit):
        return []
    what = "the margin is no positive number"
    if is_number and limit < margin < inf:
        what = f"the margin is {margin:g}, and values of this metric differ by {limit:g} at most"
    return [Problem("margin", what, "Give the least difference that matters to you, or leave it out")]


def _largest_difference(metric: Metric, files: Sequence[Table], score: str) -> float:
    """Of two values of a metric: 1, and more where the scores that it rates lie further apart."""
    if metric.fits in _COMPARES:
        return 1.0
    scores = [found for table in files for row in table.rows if (found := number_of(row.cells.get(score))) is not None]
    return max(1.0, max(scores, default=0.0) - min(scores, default=0.0))


def _answer_problems(table: Table, metric: Metric, columns: _Columns) -> list[Problem]:
    """What is wrong with the answers or scores that the metric rates."""
    if metric.fits not in _COMPARES:
        return list(score_problems(table, columns.score))
    needed = f"{metric.name} compares labels; `answer` names another"
    rated = metric.fits in ("label_scores", "set_scores")
    scores = label_score_problems(table, metric, of_sets=columns.sets is not None) if rated else ()
    return [*column_problems(table, columns.answer, needed), *text_problems(table, columns.answer), *scores]


def _seed_problems(ours: Sequence[Table], theirs: Sequence[Table]) -> list[Problem]:
    if len(ours) == len(theirs):
        return []
    what = f"a has {len(ours)} and b has {len(theirs)}, and each seed needs both"
    return [Problem("files", what, "Give as many files of a as of b, in the order of their seeds")]


def _lookup(field: str, given: Any, files: Sequence[Table], problems: list[Problem]) -> Lookup | None:
    """Where `gold` or `group` stands; adds what is wrong with it to `problems`."""
    if given is None and field == "gold" and any(field in table.columns for table in files):
        given = field
    if given is None:
        problems.append(Problem(field, *_UNSAID[field]))
    elif files:
        try:
            lookup = find(field, given, files)
        except InputError as error:
            problems += error.problems
        else:
            problems += value_problems(lookup, by_id(files[0]), files[0])
            return lookup
    return None


def _names(a: Any, b: Any) -> tuple[str, str]:
    """What the two are called: by their files, or the innermost folders, where these have short names that tell them
    apart.
    """
    if not isinstance(a, str | PathLike) or not isinstance(b, str | PathLike):
        return "a", "b"
    ours, theirs = ((Path(one).stem, *reversed(Path(one).parent.parts)) for one in (a, b))
    named = next((pair for pair in zip(ours, theirs, strict=False) if pair[0] != pair[1]), ("", ""))
    return named if all(0 < len(name) <= _LONGEST_NAME for name in named) else ("a", "b")
