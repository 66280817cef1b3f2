"""Answers to a label task: every label is scored, by a rule that training and validation cases give.

Prompts of at most 64 training cases give each label's mean score; validation cases say how much of it is taken away
(see `label_scores/calibration.py`). Held-out cases have no part in either, and every arm that answers by scores has the
same rule. Free text is written for validation cases alone: the "form", a line of its own beside the results.
"""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from preceptor.engine import Numerics, Work, writing_work
from preceptor.files import digest
from preceptor.models import Policy
from preceptor.study.answers._greedy import BATCH_SIZE, greedy_texts
from preceptor.study.cases import Asked, Prepared, with_room
from preceptor.study.expected_work import WorkContext, answer_lengths, label_work
from preceptor.study.label_scores.calibration import choose_tau, mean_scores
from preceptor.study.label_scores.scored import LabelAnswers, LabelRule, answers_by, label_answers, score_labels
from preceptor.study.predictions.answer_context import AnswerContext, Answering, OnBatch
from preceptor.study.score import gold_label, labels_merit
from preceptor.tasks import INVALID, Example, Task

CALIBRATED_ON = 64
"""Training prompts over which a label's mean score is taken, at most."""


@dataclass(frozen=True, slots=True, repr=False)
class RuleCases:
    """What an arm's rule is found by: training prompts, validation prompts, and the right labels of the latter."""

    train: list[list[int]]
    validation: list[list[int]]
    gold: list[str]


def calibrated_on(prepared: Prepared, without: Sequence[Example] = ()) -> list[Example]:
    """The training cases of the mean scores, drawn by no seed, so that every seed has the same.

    without: those that are not among them.
    """
    left = [one for one in prepared.splits.train if one not in without]
    drawn = random.Random("calibration").sample(range(len(left)), min(CALIBRATED_ON, len(left)))
    return [left[i] for i in sorted(drawn)]


def rule_key(prepared: Prepared, max_length: int, without: Sequence[Example] = ()) -> str:
    """Names the cases that a rule is found by: what the model is asked of each, and the labels of validation cases."""
    task, validation = prepared.task, prepared.splits.validation
    train = [task.messages(one) for one in calibrated_on(prepared, without)]
    return digest([train, [[task.messages(one), gold_label(task, one)] for one in validation], max_length])


def rule_cases(
    prepared: Prepared, tokenizer: Any, max_length: int, without: Sequence[Example] = ()
) -> tuple[list[Asked], list[Asked], list[str]]:
    """Training cases, all validation cases, and the right labels of these, as held-out cases are asked."""
    task, validation = prepared.task, prepared.splits.validation
    train = with_room(task, calibrated_on(prepared, without), tokenizer, max_length)
    asked = with_room(task, validation, tokenizer, max_length)
    gold = [gold_label(task, validation[place]) for place in asked]
    return [*train.values()], [*asked.values()], gold


def scored_labels(
    context: AnswerContext, prompts: Sequence[list[int]], cases: RuleCases, beside: Mapping[str, Any] = {}
) -> Answering:
    """The label of each held-out prompt by the arm's rule, with how probable each label is.

    The rule and the form join what stands `beside` them in the note while cases are answered. A run that was killed
    finds the same rule again.
    """
    policy, task, note = context.load_policy(), context.task.task, dict(beside)
    numerics, max_length, trained = context.numerics, context.study.max_length, context.policy is not None

    def answer(done: frozenset[int], on_batch: OnBatch) -> None:
        rule, form = find_rule(policy, task, cases, numerics, max_length, trained=trained)
        note.update(label_rule=rule.model_dump(mode="json"), form=form)
        for start in range(0, len(prompts), BATCH_SIZE):
            batch = range(start, min(start + BATCH_SIZE, len(prompts)))
            if not done.issuperset(batch):
                found = label_answers(policy, task, [prompts[i] for i in batch], numerics, max_length, rule)
                shares = dict(zip(batch, found.probabilities, strict=True))
                on_batch(dict(zip(batch, found.texts, strict=True)), found.ties, shares, found.without_marker)

    return Answering(answer, note=note)


def find_rule(
    policy: Policy, task: Task, cases: RuleCases, numerics: Numerics, max_length: int, *, trained: bool
) -> tuple[LabelRule, dict[str, float] | None]:
    """The arm's rule, and the form of its free text; None where there is no validation case.

    trained: probabilities are then those of the scores as they are, as they are what training made; an untrained
    model's are calibrated as its answers are. form: `cases`, and of them the shares whose text can be read as a label
    (`readable`) and whose text says the arm's label (`agreement`).
    """
    means = mean_scores(score_labels(policy, task, cases.train, numerics, max_length).values)
    texts = greedy_texts(policy, cases.validation, task.answer.max_new_tokens)
    scores = score_labels(policy, task, cases.validation, numerics, max_length, written=texts)

    def rule(tau: float) -> LabelRule:
        shown = 0.0 if trained else tau
        return LabelRule(labels=task.labels, tau=tau, means=tuple(means.tolist()), probabilities_tau=shown)

    def answers(tau: float) -> tuple[list[str], LabelAnswers]:
        found = answers_by(rule(tau), scores, task, cases.validation)
        return [task.parse(text) for text in found.texts], found

    def merit(tau: float) -> float:
        labels, found = answers(tau)
        return labels_merit(task, cases.gold, labels, found.probabilities)

    if not cases.validation:
        return rule(0.0), None
    tau = choose_tau(merit)
    read = [task.parse(text) for text in texts]
    same = sum(text == label for text, label in zip(read, answers(tau)[0], strict=True))
    count = len(read)
    return rule(tau), {
        "cases": count,
        "readable": (count - read.count(INVALID)) / count,
        "agreement": same / count,
    }


def scored_work(
    context: WorkContext, prompts: Sequence[list[int]], train: Sequence[list[int]], validation: Sequence[list[int]]
) -> Work:
    """The labels behind held-out prompts and behind those that give the rule, and the free text of validation cases."""
    lengths, longest = answer_lengths(context, len(validation)), context.task.task.answer.max_new_tokens
    form = writing_work(validation, lengths, longest, share=context.shares)
    read_again = label_work(context, validation, written=True)
    return label_work(context, train[:CALIBRATED_ON]) + form + read_again + label_work(context, prompts)
