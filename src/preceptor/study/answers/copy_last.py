"""The baseline of visits that asks for no learning: the drugs of the visit before, and none at a first visit."""

from preceptor.files import digest
from preceptor.study.predictions.answer_context import AnswerContext, Answering, OnBatch
from preceptor.tasks import DRUGS_OF_VISIT, VISITS_FIELD, Task, read_visits

title = "Copied visit"
phrase = "what the visit before had"
explanation = (
    "No model: each patient is given what the visit before had, and nothing at a first visit. What is gained by more."
)
deterministic = True
asks_policy = False
language_model = False
seconds = 0.1
"""About how long it takes."""


def unsupported_reason(task: Task) -> str | None:
    """It copies sets of labels out of visits in codes."""
    if not task.set_labels:
        return "it gives several labels only"
    if task.answer.empty is None:
        return "the task has no word for the empty set, which it gives at a first visit (`answer.empty`)"
    return None if VISITS_FIELD in task.fields else f"the task has no field `{VISITS_FIELD}` to copy from"


def key(context: AnswerContext) -> str:
    """Its answers depend on the visits of the held-out cases alone."""
    return digest(["copied", _sets(context)])


def answer(context: AnswerContext) -> Answering:
    """All cases at once."""
    texts = [context.task.task.format_set(one) for one in _sets(context)]

    def answerer(done: frozenset[int], on_batch: OnBatch) -> None:
        on_batch({i: text for i, text in enumerate(texts) if i not in done})

    return Answering(answerer)


def _sets(context: AnswerContext) -> list[list[str]]:
    """What the last visit before the present one had, of each held-out case."""
    visits = [read_visits(one.fields[VISITS_FIELD]) for one in context.task.splits.test]
    return [sorted(one[-2].get(DRUGS_OF_VISIT, ())) if len(one) > 1 else [] for one in visits]
