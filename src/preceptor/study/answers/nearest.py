"""The baseline of texts without a language model: the answer to the training case whose words are most alike."""

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer

from preceptor.engine import timed
from preceptor.files import digest
from preceptor.study.cases import Prepared, case_text
from preceptor.study.predictions.answer_context import AnswerContext, Answerer, Answering, OnBatch
from preceptor.tasks import Task

title = "Nearest case"
phrase = "the nearest case's answer"
explanation = (
    "No language model: each case is given the answer of the training case that shares most of its words. Whether a "
    "language model is needed at all."
)
deterministic = True
asks_policy = False
language_model = False
seconds = 2.0
"""About how long it takes."""

_WORD = r"\d+(?:\.\d+)?|\w+"
"""Numbers are words, whole with their decimals."""


def unsupported_reason(task: Task) -> str | None:
    """Single labels have TF-IDF, which learns from all cases and not from one; a set can be taken over whole."""
    return "it gives texts only; tfidf gives labels" if task.labels else None


def key(context: AnswerContext) -> str:
    """Its answers depend on the text of every case and on what is learned from the training cases."""
    task, splits = context.task.task, context.task.splits
    learned = [[case_text(task, one), one.learned] for one in splits.train]
    return digest(["nearest", learned, [case_text(task, one) for one in splits.test]])


def answer(context: AnswerContext) -> Answering:
    """Find the nearest training case of each held-out case."""
    with timed() as cost:
        texts = nearest_answers(context.task)
    return Answering(_given(texts), cost)


def nearest_answers(prepared: Prepared) -> list[str]:
    """For each held-out case the answer of the training case of the highest cosine between word counts (TF-IDF).

    Of training cases that are equally near, the first.
    """
    task, train = prepared.task, prepared.splits.train
    vectorizer = TfidfVectorizer(sublinear_tf=True, token_pattern=_WORD)
    known = vectorizer.fit_transform([case_text(task, one) for one in train])
    asked = vectorizer.transform([case_text(task, one) for one in prepared.splits.test])
    nearest = np.asarray((asked @ known.T).todense()).argmax(axis=1)
    return [train[place].learned for place in nearest.tolist()]


def _given(texts: list[str]) -> Answerer:
    def answer(done: frozenset[int], on_batch: OnBatch) -> None:
        on_batch({i: text for i, text in enumerate(texts) if i not in done})

    return answer
