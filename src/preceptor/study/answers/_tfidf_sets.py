"""TF-IDF for answers of several labels: a linear model for each label against all others."""

import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier

from preceptor.study.cases import Prepared, case_text
from preceptor.study.label_sets import Array, Sets, choose_threshold, membership, sets_by, sets_merit, texts_of
from preceptor.study.predictions.answer_context import Answerer, OnBatch
from preceptor.tasks import Example

Likely = Callable[[Sequence[str]], Array]
"""Texts -> how probable each label is [texts, labels]."""

_FEW = 2_000
"""Texts up to which turning them costs little."""


def learn_sets(prepared: Prepared, words: TfidfVectorizer, strengths: Sequence[float]) -> Likely:
    """Logistic regression of each label (Rifkin and Klautau 2004: one against the rest).

    Validation cases choose the inverse strength of regularisation, one for all labels, by the task's metric; the
    stronger of equal ones. A label that no training case has is given by none, and one that all have by all.
    """
    train, validation = prepared.splits.train, prepared.splits.validation
    texts, gold = [case_text(prepared.task, one) for one in train], _gold(prepared, train)
    table, table_of = _coordinates(texts, words)
    tried = [_learned(table, gold, strength) for strength in strengths]
    asked, right = table_of([case_text(prepared.task, one) for one in validation]), _gold(prepared, validation)
    best = max(tried, key=lambda model: sets_merit(prepared.task, right, _probabilities(model, asked)))
    return lambda asked: _probabilities(best, table_of(asked))


def threshold_of(prepared: Prepared, likely: Likely) -> float:
    """The score from which a label is given, chosen on the validation cases."""
    validation = prepared.splits.validation
    scores = likely([case_text(prepared.task, one) for one in validation])
    return choose_threshold(prepared.task, _gold(prepared, validation), scores)


def set_answerer(prepared: Prepared, likely: Likely, threshold: float) -> Answerer:
    """All held-out cases at once."""
    task = prepared.task

    def answer(done: frozenset[int], on_batch: OnBatch) -> None:
        found = likely([case_text(task, one) for one in prepared.splits.test])
        texts = texts_of(task, sets_by(task, found, threshold))
        scores: list[Mapping[str, float]] = [dict(zip(task.set_labels, row, strict=True)) for row in found.tolist()]
        left = [i for i in range(len(texts)) if i not in done]
        on_batch({i: texts[i] for i in left}, scores={i: scores[i] for i in left})

    return answer


def _coordinates(texts: Sequence[str], words: TfidfVectorizer) -> tuple[Any, Callable[[Sequence[str]], Any]]:
    """The texts as rows of numbers, and how others become such rows.

    A penalty on squared weights sees products of rows alone: few texts of many words are turned onto as many axes as
    there are texts, which gives the same model many times faster.
    """
    known = words.fit_transform(texts)
    if len(texts) > _FEW:
        return known, words.transform
    products = (known @ known.T).toarray()
    lengths, axes = np.linalg.eigh(products)
    real = lengths > lengths.max() * 1e-10
    turn = axes[:, real] / np.sqrt(lengths[real])
    return products @ turn, lambda asked: (words.transform(asked) @ known.T).toarray() @ turn


def _learned(table: Any, gold: Sets, strength: float) -> OneVsRestClassifier:
    model = OneVsRestClassifier(LogisticRegression(C=strength, max_iter=1000))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # weights that still move a little predict as well
        warnings.filterwarnings("ignore", message="Label .* is present in all training examples")
        return model.fit(table, gold.astype(int))


def _probabilities(model: OneVsRestClassifier, asked: Any) -> Array:
    return np.asarray(model.predict_proba(asked), dtype=np.float64)


def _gold(prepared: Prepared, examples: Sequence[Example]) -> Sets:
    return membership(prepared.task, [prepared.task.label_set(one.target) or () for one in examples])
