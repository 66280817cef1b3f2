"""TF-IDF for answers of several labels: a linear model for each label against all others."""

import warnings
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline

from preceptor.study.cases import Prepared, case_text
from preceptor.study.label_sets import Array, Sets, choose_threshold, membership, sets_by, sets_merit, texts_of
from preceptor.study.predictions.answer_context import Answerer, OnBatch
from preceptor.tasks import Example

Likely = Callable[[Sequence[str]], Array]
"""Texts -> how probable each label is [texts, labels]."""


def learn_sets(prepared: Prepared, words: Callable[[], TfidfVectorizer], strengths: Sequence[float]) -> Likely:
    """Logistic regression of each label (Rifkin and Klautau 2004: one against the rest).

    Validation cases choose the inverse strength of regularisation, one for all labels, by the task's metric; the
    stronger of equal ones. A label that no training case has is given by none, and one that all have by all.
    """
    train, validation = prepared.splits.train, prepared.splits.validation
    texts, gold = [case_text(prepared.task, one) for one in train], _gold(prepared, train)
    tried = [_learned(texts, gold, words(), strength) for strength in strengths]
    asked, right = [case_text(prepared.task, one) for one in validation], _gold(prepared, validation)
    return max(tried, key=lambda likely: sets_merit(prepared.task, right, likely(asked)))


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


def _learned(texts: Sequence[str], gold: Sets, words: TfidfVectorizer, strength: float) -> Likely:
    model = make_pipeline(words, OneVsRestClassifier(LogisticRegression(C=strength, max_iter=1000)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # weights that still move a little predict as well
        warnings.filterwarnings("ignore", message="Label .* is present in all training examples")
        model.fit(texts, gold.astype(int))

    def likely(asked: Sequence[str]) -> Array:
        return np.asarray(model.predict_proba(asked), dtype=np.float64)

    return likely


def _gold(prepared: Prepared, examples: Sequence[Example]) -> Sets:
    return membership(prepared.task, [prepared.task.label_set(one.target) or () for one in examples])
