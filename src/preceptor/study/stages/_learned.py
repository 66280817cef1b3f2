"""What SFT learns of a case: the tokens of its answer, or, where this is a label and nothing else, to choose it."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from preceptor.engine import EncodedChoice, SFTExample, SFTSettings
from preceptor.errors import Problem
from preceptor.models import Encoded
from preceptor.study.cases import Prepared, TaskCases
from preceptor.study.score import gold_label
from preceptor.study.spec.stages import StageRef
from preceptor.study.spec.study import Study
from preceptor.tasks import Example, Task

_OF_LABELS = ("label_token_weight", "label_balance")
"""Settings that say nothing of other answers."""


def chooses(task: Task, settings: SFTSettings) -> bool:
    """Whether the labels of a task are chosen from."""
    return task.answer.parser == "label" and settings.label_token_weight is not None


def learned(
    task: Prepared, encoded: Sequence[Encoded], examples: Sequence[Example], settings: SFTSettings
) -> list[SFTExample]:
    """The cases `encoded`, which are `examples`, with what is learned of each."""
    labels = [gold_label(task.task, one) for one in examples] if chooses(task.task, settings) else []
    return choices(task, [one.prompt for one in encoded], labels) if labels else list(encoded)


def choices(task: Prepared, prompts: Sequence[list[int]], labels: Sequence[str]) -> list[SFTExample]:
    """Prompts with all labels of the task behind each, and which of them is right."""
    number = {label: i for i, label in enumerate(task.task.labels)}
    both = zip(prompts, labels, strict=True)
    return [EncodedChoice(prompt, task.label_answers, number[label]) for prompt, label in both]


def sequences(task: Prepared, cases: Sequence[Encoded], settings: SFTSettings) -> list[list[Encoded]]:
    """What is computed of each of the cases."""
    if not chooses(task.task, settings):
        return [[case] for case in cases]
    return [[Encoded(case.prompt, label) for label in task.label_answers] for case in cases]


def settings_that_matter(settings: SFTSettings, tasks: Iterable[Task]) -> dict[str, Any]:
    """For a stage's key: without those of labels where none are chosen from, so that it is as before there were any."""
    values = settings.model_dump()
    idle = () if any(chooses(task, settings) for task in tasks) else _OF_LABELS
    return {name: value for name, value in values.items() if name not in idle}


def caution(stage: StageRef, study: Study, cases: TaskCases) -> Problem | None:
    """That labels are to be balanced where none are chosen from."""
    settings = study.settings_of(stage, cases.entry)
    if settings.label_balance == "none" or chooses(cases.task, settings):
        return None
    what = f"label_balance of `{stage.name}` does nothing here: an answer to this task is more than a label"
    return Problem(cases.where, what, "Expect no effect of it, or take it out.")


def loss_in_words(settings: Mapping[str, Any]) -> str:
    """How labels were learned, as a sentence behind those of `how_trained`; "" where it was as any text."""
    weight, balance = settings.get("label_token_weight"), settings.get("label_balance", "none")
    if weight is None:
        return ""
    corrected = {
        "class_weights": ", cases weighed inversely to the frequency of their label",
        "logit_adjustment": ", with the labels' log-frequencies added to their scores in training",
    }.get(balance, "")
    return (
        " Where an answer is one of the labels and nothing else, the loss was the cross-entropy over the labels, each "
        f"scored by the log-probability of its whole answer{corrected}, plus {weight} times the mean negative "
        "log-likelihood of the right answer's tokens."
    )
