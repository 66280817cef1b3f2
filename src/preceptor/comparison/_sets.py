"""Answers of several labels: from cells to sets, and to the arrays that `evidence` compares."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from preceptor.comparison._rows import LABEL_SCORES, text_of
from preceptor.comparison._samples import in_order, label_scores_of, labels_with_scores
from preceptor.data import Table, list_of, quoted
from preceptor.errors import InputError, Problem
from preceptor.evidence import INVALID_CODE, Metric, Sample
from preceptor.tasks import INVALID

RATES_SETS = ("label_sets", "set_scores", "label_scores")
"""What a metric fits that rates sets of labels, those last also single ones."""
_MARKS = (";", "|", ",", "/", "\n")
"""What usually stands between two labels."""


@dataclass(frozen=True, slots=True)
class SetForm:
    """separator: what stands between two labels of a cell. empty: the word for no label; None: each case has one."""

    separator: str
    empty: str | None

    def read(self, text: str) -> frozenset[str] | None:
        """The labels of a cell; None where it lists none, or has the word for none beside some."""
        parts = frozenset(map(str.strip, text.split(self.separator.strip() or self.separator))) - {""}
        if parts == {self.empty}:
            return frozenset()
        return None if not parts or self.empty in parts or parts == {INVALID} else parts


def set_form_problems(metric: Metric, separator: str | None, empty: str | None) -> Iterator[Problem]:
    """A form of sets for a metric that rates none, or none for one that rates nothing else."""
    of_sets = metric.fits in RATES_SETS
    texts = {"separator": separator, "empty": empty}
    if wrong := [name for name, said in texts.items() if not isinstance(said, str | None)]:
        found = (type(texts[name]).__name__ for name in wrong)
        yield from (
            Problem(name, f"a text was expected, found {kind}", "Write one")
            for name, kind in zip(wrong, found, strict=True)
        )
        return
    if separator is None and of_sets and metric.fits != "label_scores":
        fix = 'Say what stands between two labels of an answer (`separator`), such as ";"'
        yield Problem("metric", f"{metric.name!r} rates sets of labels", fix)
    if separator is None and empty is not None:
        yield Problem("empty", "it is the word for no label of several", "Give `separator` too, or leave it out")
    if separator == "":
        yield Problem("separator", "it is empty", 'Write what stands between two labels, such as ";"')
    if empty is not None and (not empty.strip() or empty.strip() == INVALID):
        what = "it is empty" if not empty.strip() else f"{INVALID} is an answer that could not be read"
        yield Problem("empty", what, "Write the word that stands for no label, such as `none`, or leave it out")
    elif separator and empty is not None and separator in empty:
        yield Problem("empty", "it holds the separator", "Write one word for no label, such as `none`")
    if separator and not of_sets:
        fix = "Name a metric of sets, such as `jaccard`, or leave `separator` out"
        yield Problem("metric", f"{metric.name!r} rates no sets of labels, and `separator` says that answers are", fix)


def set_samples(
    metric: Metric,
    tables: Sequence[Table],
    cases: Sequence[str],
    groups: Sequence[str],
    gold: Sequence[str],
    form: SetForm,
    answer: str,
) -> list[Sample]:
    """Each file's sets beside the right ones, in the order of `cases`.

    Labels are those that are right in some case, and those that have scores. Others are wrong, and an answer that lists
    none is INVALID. Raises InputError for right answers that cannot be read, and files without one right label.
    """
    read = [form.read(text) for text in gold]
    right = [one for one in read if one is not None]
    if lost := len(read) - len(right):
        what = f"{lost} of {len(read)} right answers list no label, or the word for none (`empty`) beside some"
        raise InputError(Problem("gold", what, "Write labels with `separator` between them, or `empty` alone"))
    texts = [[text_of(row, answer) for row in table.rows] for table in tables]
    if problems := list(_form_problems(form, gold, right, tables, texts)):
        raise InputError(problems)
    if foreign := [problem for table in tables for problem in _foreign(table, right, form, answer)]:
        raise InputError(foreign)
    ordered = [in_order(table, cases) for table in tables]
    scored = metric.fits != "label_sets"
    labels = sorted({*frozenset().union(*right), *(labels_with_scores(ordered) if scored else ())} - {form.empty})
    found = []
    for table, rows in zip(tables, ordered, strict=True):
        given = [form.read(text_of(row, answer)) for row in rows]
        sample = Sample(
            np.array(groups),
            predicted=np.array([INVALID_CODE if one is None else 0 for one in given]),
            label_scores=label_scores_of(rows, labels) if scored and LABEL_SCORES in table.columns else None,
            gold_sets=_membership(right, labels),
            predicted_sets=_membership([one or frozenset() for one in given], labels),
            unknown=np.array([len((one or frozenset()).difference(labels)) for one in given]),
        )
        found.append(sample)
    return found


def _form_problems(
    form: SetForm,
    gold: Sequence[str],
    right: Sequence[frozenset[str]],
    tables: Sequence[Table],
    texts: Sequence[Sequence[str]],
) -> Iterator[Problem]:
    """Signs that labels are written in another form than was said, of which each set would be one label of its own.

    right: what was read of the texts in `gold`. texts: the answers of each of `tables`.
    """
    known = frozenset().union(*right)
    mark = form.separator.strip() or form.separator
    every = {text for one in (gold, *texts) for text in one}
    places = [("gold", gold), *((str(table.path), one) for table, one in zip(tables, texts, strict=True))]
    if lists := [where for where, given in places if any(list_of(text) is not None for text in given)]:
        fix = f"Write one text with {mark!r} between labels"
        yield from (Problem(where, "labels stand there as a list, with brackets", fix) for where in lists)
        return
    there = next((other for other in _MARKS if any(other in text for text in every)), None)
    if there is not None and not any(mark in text for text in every):
        what = f"{mark!r} stands in no right answer and in no answer, and {there!r} does, so none would have two labels"
        yield Problem("separator", what, "Say what stands between two labels there")
        return
    for where, given in places:
        other = None if any(mark in text for text in given) else _other_mark(given, known)
        if other is not None:
            what = f"labels have {other!r} between them and not {mark!r}, so several would be one that no case has"
            yield Problem(where, what, "Write the same between labels everywhere, and say it with `separator`")
    if form.empty is not None and form.empty.casefold() in {label.casefold() for label in known}:
        what = f"it is {form.empty!r}, and right answers have it in other capitals, as a label"
        yield Problem("empty", what, "Write it as the right answers do")


def _other_mark(texts: Sequence[str], known: frozenset[str]) -> str | None:
    """What stands between labels that are known, in a text that is none; None where nothing does."""
    split = ((mark, {part.strip() for part in text.split(mark)}) for text in set(texts) - known for mark in _MARKS)
    return next((mark for mark, parts in split if len(parts) > 1 and parts <= known), None)


def _membership(
    sets: Sequence[frozenset[str]], labels: Sequence[str]
) -> "np.ndarray[tuple[int, int], np.dtype[np.bool_]]":
    """(cases, labels) which labels each set has."""
    return np.array([[label in one for label in labels] for one in sets], dtype=bool).reshape(len(sets), len(labels))


def _foreign(table: Table, right: Sequence[frozenset[str]], form: SetForm, answer: str) -> Iterator[Problem]:
    """A file none of whose answers has a right label: of another column, spelling or separator."""
    known = frozenset().union(*right)
    given = [form.read(text) for row in table.rows if (text := text_of(row, answer)) != INVALID]
    if given and not any(one is not None and (not one or one & known) for one in given):
        what = f"column {quoted(answer)}: no answer has one of the {len(known)} right labels, case and spaces counted"
        fix = "Write labels as they are in the right answers, or name another column or `separator`"
        yield Problem(str(table.path), what, fix)
