"""TF-IDF, the baseline without a language model: word counts in a linear model, or boosted trees over numbers."""

import re
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from preceptor.engine import timed
from preceptor.files import digest
from preceptor.study.answers._tfidf_sets import learn_sets, set_answerer, threshold_of
from preceptor.study.cases import Prepared, case_text
from preceptor.study.label_sets import set_rule_key
from preceptor.study.predictions.answer_context import AnswerContext, Answerer, Answering, OnBatch, Scores
from preceptor.study.score import asks_label_scores, gold_label, labels_merit
from preceptor.tasks import Task

title = "TF-IDF"
phrase = "TF-IDF"
explanation = (
    "No language model: counts of words in a linear model, or trees over the case's numbers. Whether a language model "
    "is needed at all."
)
deterministic = True
asks_policy = False
language_model = False
seconds = 5.0
"""About how long it takes."""

_STRENGTHS = (0.1, 1.0, 10.0, 100.0)
"""Inverse strengths of regularisation that are tried; validation cases choose."""

_NUMBER = r"\d+(?:\.\d+)?"
_WORD = _NUMBER + r"|\w+"
"""scikit-learn's own pattern would drop every one-digit number and break 4.2 in two."""

Predict = Callable[[Sequence[str]], tuple[list[str], list[Scores]]]
"""Texts -> the label of each, and how probable each label is."""


def unsupported_reason(task: Task) -> str | None:
    """It predicts labels."""
    return None if task.labels or task.set_labels else "it gives labels only"


def key(context: AnswerContext) -> str:
    """Its answers depend on the text and label of every case; probabilities of labels were not always kept."""
    task, splits = context.task.task, context.task.splits
    parts = (splits.train, splits.validation, splits.test)
    texts = [[[case_text(task, one), one.target] for one in part] for part in parts]
    scored = ["scores"] if asks_label_scores(task) else []
    if task.set_labels:
        return digest(["tfidf", texts, set_rule_key(task)])
    return digest(["tfidf", texts, [task.format_answer(label) for label in task.labels], *scored])


def answer(context: AnswerContext) -> Answering:
    """Fit on the training cases; validation cases choose the model."""
    if context.task.task.set_labels:
        return _answer_sets(context.task)
    with timed() as cost:
        predict = learn(context.task)
    return Answering(tfidf_answerer(predict, context.task), cost)


def _answer_sets(prepared: Prepared) -> Answering:
    """The same for several labels; validation cases choose the threshold too."""
    with timed() as cost:
        likely = learn_sets(prepared, _words(), _STRENGTHS)
        threshold = threshold_of(prepared, likely)
    return Answering(set_answerer(prepared, likely, threshold), cost, {"threshold": threshold})


def learn_words(texts: Sequence[str], labels: Sequence[str], strength: float = 10.0) -> Predict:
    """TF-IDF of words and word pairs, numbers among them, and logistic regression; `strength` is its C."""
    model = make_pipeline(_words(), LogisticRegression(C=strength, max_iter=1000))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # weights that still move a little predict as well
        model.fit(texts, labels)
    return lambda asked: _predicted(model, asked)


def learn_numbers(texts: Sequence[str], labels: Sequence[str]) -> Predict:
    """Boosted trees over the numbers of a text in the order they stand there."""
    width = max(1, *(len(_numbers(text)) for text in texts))
    model = HistGradientBoostingClassifier(random_state=0).fit(_table(texts, width), labels)
    return lambda asked: _predicted(model, _table(asked, width))


def learn(prepared: Prepared) -> Predict:
    """The one of these that does best on the validation cases by the task's metric; the simpler one where two tie."""
    task, train, validation = prepared.task, prepared.splits.train, prepared.splits.validation
    texts, labels = [case_text(task, one) for one in train], [gold_label(task, one) for one in train]
    tried = [learn_words(texts, labels, strength) for strength in _STRENGTHS]
    if any(map(_numbers, texts)):
        tried.append(learn_numbers(texts, labels))
    asked = [case_text(task, one) for one in validation]
    gold = [gold_label(task, one) for one in validation]
    return max(tried, key=lambda predict: labels_merit(task, gold, *predict(asked)))


def tfidf_answerer(predict: Predict, prepared: Prepared) -> Answerer:
    """All held-out cases at once, each label written as the task wants an answer to end."""

    def answer(done: frozenset[int], on_batch: OnBatch) -> None:
        labels, scores = predict([case_text(prepared.task, one) for one in prepared.splits.test])
        left = [i for i in range(len(labels)) if i not in done]
        on_batch({i: prepared.task.format_answer(labels[i]) for i in left}, scores={i: scores[i] for i in left})

    return answer


def _words() -> TfidfVectorizer:
    """Words and word pairs, numbers among them."""
    return TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, token_pattern=_WORD)


def _predicted(model: Any, asked: Any) -> tuple[list[str], list[Scores]]:
    """What a fitted classifier of scikit-learn says of the rows of `asked`."""
    names = [str(label) for label in model.classes_]
    shares: list[Scores] = [dict(zip(names, row, strict=True)) for row in model.predict_proba(asked).tolist()]
    return [str(label) for label in model.predict(asked)], shares


def _numbers(text: str) -> list[float]:
    return [float(number) for number in re.findall(_NUMBER, text)]


def _table(texts: Sequence[str], width: int) -> np.ndarray[Any, np.dtype[np.float64]]:
    """[texts, width] the first numbers of each text, nan where it has fewer."""
    table = np.full((len(texts), width), np.nan)
    for row, text in zip(table, texts, strict=True):
        found = _numbers(text)[:width]
        row[: len(found)] = found
    return table
