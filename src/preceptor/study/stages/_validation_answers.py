"""Answers to validation cases, by whose score a stage chooses among its checkpoints: given as held-out answers are."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from preceptor.engine import AnswerScore, Work, tree_work, writing_work
from preceptor.models import load_tokenizer
from preceptor.study.cases import with_room
from preceptor.study.expected_work import WorkContext, gold_lengths, label_work
from preceptor.study.label_scores.scored import likeliest_labels
from preceptor.study.score import case_score
from preceptor.study.stage_tree.stage_context import Context
from preceptor.tasks import Example, Task

SAMPLES = 16
"""Answers drawn from the policy before the first step, by which `eval_kl` is estimated."""


@dataclass(frozen=True, slots=True, repr=False)
class ValidationAnswers:
    """All that the score of a policy depends on, as part of a stage's key; `cases` are places in the validation split.

    Prompts leave room for an answer, as those of held-out cases do; a case that then does not fit is not among them.
    answer: how it is read, and whether labels are scored.
    """

    prompts: list[list[int]]
    cases: list[int]
    targets: list[str]
    answer: dict[str, Any]
    metric: str


@dataclass(frozen=True, slots=True, repr=False)
class CaseScores:
    """How good a text is as an answer to the case of this number, between 0 and 1."""

    task: Task
    examples: Sequence[Example]

    def __call__(self, number: int, text: str) -> float:
        """See `case_score`."""
        return case_score(self.task, text, self.examples[number])


def by_score(settings: Any) -> bool:
    """Whether the score of answers decides which checkpoint is kept; otherwise the loss does."""
    return bool(settings.metric_for_best_model == "score")


def best_by_score(settings: Mapping[str, Any]) -> str:
    """How a methods section names the checkpoint that is kept, where the saved settings say that the score decides."""
    kept = "whose answers to validation cases scored highest"
    return kept if settings.get("metric_for_best_model") == "score" else ""


def validation_answers(context: Context) -> ValidationAnswers | None:
    """What the policy is asked at each evaluation; nothing where the loss decides."""
    if not by_score(context.settings):
        return None
    task, examples = context.task.task, context.task.splits.validation
    asked = with_room(task, examples, load_tokenizer(context.source), context.study.max_length)
    targets = [examples[place].target for place in asked]
    answer = task.answer.model_dump() | ({"labels_scored": True} if task.labels else {})
    return ValidationAnswers([prompt for prompt, _ in asked.values()], [*asked], targets, answer, task.metric)


def answer_score(context: Context, answers: ValidationAnswers | None, samples: int = 0) -> AnswerScore | None:
    """What `train` measures with; None where there is no case to answer. samples: see `AnswerScore`.

    A label is the one of the highest score: what is taken away from scores is chosen when training is over.
    """
    if answers is None or not answers.prompts:
        return None
    task = context.task.task
    rate = CaseScores(task, [context.task.splits.validation[place] for place in answers.cases])
    longest, max_length, numerics = task.answer.max_new_tokens, context.study.max_length, context.numerics
    labels = partial(likeliest_labels, task=task, numerics=numerics, max_length=max_length) if task.labels else None
    return AnswerScore(answers.prompts, longest, rate, numerics, context.seed, samples, labels)


def answers_work(context: WorkContext, samples: int = 0) -> tuple[Work, Work]:
    """The work before the first step, and that of each evaluation: labels scored, or answers as long as gold's. None
    where the loss decides.
    """
    if not by_score(context.settings):
        return [], []
    task, cases, share = context.task, context.task.validation, context.shares
    longest, lengths = task.task.answer.max_new_tokens, gold_lengths(task, len(cases))
    prompts = [case.prompt for case in cases]
    scored = tree_work(
        "score", [[case] for case in cases[:samples]], context.study.numerics.tokens_per_tree, share=share
    )
    drawn = writing_work(prompts[:samples], lengths[:samples], longest, share=share) + scored
    if task.task.labels:
        return drawn, label_work(context, prompts) + scored
    return drawn, writing_work(prompts, lengths, longest, share=share) + scored
