"""The baseline of several labels that looks at no case: each label is as likely as it is frequent in training."""

from collections.abc import Sequence

import numpy as np

from preceptor.files import digest
from preceptor.study.answers._tfidf_sets import set_answerer, threshold_of
from preceptor.study.label_sets import Array, membership, set_rule_key
from preceptor.study.predictions.answer_context import AnswerContext, Answering
from preceptor.tasks import Task

title = "Frequent labels"
phrase = "what is frequent"
explanation = (
    "No model: every case is given the labels that are frequent in training. What is gained by looking at a case."
)
deterministic = True
asks_policy = False
language_model = False
seconds = 0.1
"""About how long it takes."""


def unsupported_reason(task: Task) -> str | None:
    """Of one label, the commonest stands in every result."""
    return None if task.set_labels else "it gives several labels only; `majority` is the commonest one"


def key(context: AnswerContext) -> str:
    """Its answers depend on the labels of training and validation cases."""
    targets = [[one.target for one in part] for part in (context.task.splits.train, context.task.splits.validation)]
    return digest(["frequent", targets, set_rule_key(context.task.task)])


def answer(context: AnswerContext) -> Answering:
    """A label's score is its share of the training cases; validation cases choose the threshold."""
    prepared = context.task
    sets = membership(prepared.task, [prepared.task.label_set(one.target) or () for one in prepared.splits.train])
    shares = sets.mean(axis=0, dtype=np.float64)

    def likely(asked: Sequence[str]) -> Array:
        return np.tile(shares, (len(asked), 1))

    threshold = threshold_of(prepared, likely)
    return Answering(set_answerer(prepared, likely, threshold), note={"threshold": threshold})
