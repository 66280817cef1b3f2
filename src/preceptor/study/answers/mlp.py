"""A small network over word counts, trained from scratch: between TF-IDF's linear model and a language model."""

import warnings
from collections.abc import Sequence

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline

from preceptor.engine import timed
from preceptor.files import digest
from preceptor.study.answers.tfidf import Predict, tfidf_answerer
from preceptor.study.cases import Prepared, case_text
from preceptor.study.predictions.answer_context import AnswerContext, Answering, Scores
from preceptor.study.score import gold_label, labels_merit
from preceptor.tasks import Task

title = "MLP"
phrase = "a small network"
explanation = (
    "No language model: counts of words in a network with one hidden layer, trained from scratch. Whether a language "
    "model is needed at all."
)
deterministic = False
asks_policy = False
language_model = False
seconds = 20.0
"""About how long it takes."""

_HIDDEN = 256
_WEIGHT_DECAYS = (1e-4, 1e-1)
"""What are tried; validation cases choose."""
_MOST_EPOCHS = 100
_MOST_TERMS = 5000
"""The commonest in training: a network of all word pairs would take minutes and learn them by heart."""
_WORD = r"\d+(?:\.\d+)?|\w+"
"""Numbers are words, whole with their decimals."""


def unsupported_reason(task: Task) -> str | None:
    """It predicts labels."""
    return None if task.labels else "it gives labels only"


def key(context: AnswerContext) -> str:
    """Its answers depend on the text and label of every case, and on the seed it begins from."""
    task, splits = context.task.task, context.task.splits
    parts = (splits.train, splits.validation, splits.test)
    texts = [[[case_text(task, one), one.target] for one in part] for part in parts]
    return digest(["mlp", texts, [task.format_answer(label) for label in task.labels], context.seed])


def answer(context: AnswerContext) -> Answering:
    """Fit on the training cases; validation cases choose the weight decay."""
    with timed() as cost:
        predict = learn(context.task, context.seed)
    return Answering(tfidf_answerer(predict, context.task), cost)


def learn(prepared: Prepared, seed: int) -> Predict:
    """The network that does best on the validation cases by the task's metric, of those with several weight decays."""
    task, train, validation = prepared.task, prepared.splits.train, prepared.splits.validation
    texts, labels = [case_text(task, one) for one in train], [gold_label(task, one) for one in train]
    tried = [learn_words(texts, labels, decay, seed) for decay in _WEIGHT_DECAYS]
    asked = [case_text(task, one) for one in validation]
    gold = [gold_label(task, one) for one in validation]
    return max(tried, key=lambda predict: labels_merit(task, gold, *predict(asked)))


def learn_words(texts: Sequence[str], labels: Sequence[str], weight_decay: float, seed: int) -> Predict:
    """TF-IDF of words and word pairs, 256 rectified units, softmax over the labels; Adam on the cross-entropy."""
    tfidf = TfidfVectorizer(
        ngram_range=(1, 2), sublinear_tf=True, token_pattern=_WORD, max_features=_MOST_TERMS, dtype=np.float32
    )
    network = MLPClassifier((_HIDDEN,), alpha=weight_decay, max_iter=_MOST_EPOCHS, random_state=seed)
    model = make_pipeline(tfidf, network)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # weights that still move a little predict as well
        model.fit(texts, labels)

    def predict(asked: Sequence[str]) -> tuple[list[str], list[Scores]]:
        names, rows = [str(label) for label in model.classes_], model.predict_proba(asked)
        shares: list[Scores] = [dict(zip(names, row, strict=True)) for row in rows.tolist()]
        return [names[place] for place in rows.argmax(1)], shares

    return predict
