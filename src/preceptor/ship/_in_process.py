"""Answers of a model in this process, as the study gave them: labels by scores or a head, text by greedy generation."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import torch
from torch import Tensor

from preceptor.chat_server import Reply
from preceptor.engine import generate, timed
from preceptor.models import Policy, stop_tokens
from preceptor.study import ArmOfRun, LabelAnswers, label_answers
from preceptor.tasks import Example

_ROWS = 32
"""Batch size, the same as in a study."""


def answers_of(policy: Policy, max_new_tokens: int) -> Callable[[Sequence[Example], Sequence[list[int]]], list[Reply]]:
    """The `Answers` function of a policy for `short_check`; `max_new_tokens` is the task's."""

    def answer(_: Sequence[Example], prompts: Sequence[list[int]]) -> list[Reply]:
        tokenizer, stop = policy.tokenizer, stop_tokens(policy.tokenizer)
        logprobs: list[list[float]] = [[] for _ in prompts]
        answers: dict[int, list[int]] = {}

        def on_token(indices: list[int], tokens: list[int], logits: Tensor) -> tuple[()]:
            chosen = logits.float().log_softmax(-1)[torch.arange(len(tokens)), torch.tensor(tokens)]
            for i, logprob in zip(indices, chosen.tolist(), strict=True):
                logprobs[i].append(logprob)
            return ()

        def on_batch(batch: list[int], ids: list[list[int]]) -> None:
            answers.update(zip(batch, ids, strict=True))

        handlers: Any = {"on_batch": on_batch, "on_token": on_token}
        generate(policy, prompts, max_new_tokens=max_new_tokens, stop=stop, rows=_ROWS, **handlers)
        return [_reply(tokenizer, answers[i], logprobs[i]) for i in range(len(prompts))]

    return answer


class ScoreLabels(Protocol):
    """Answers prompts with labels as the study did."""

    def __call__(self, prompts: Sequence[list[int]], unwanted: Callable[[int], bool] | None = None) -> LabelAnswers:
        """The answers; any answer to a prompt that is `unwanted` by now, by its number."""


def labels_as_measured(arm: ArmOfRun, policy: Policy) -> ScoreLabels | None:
    """How a policy answers prompts with labels, by its rule or head; None for an arm that wrote its answers."""
    if arm.by_head:
        return _labels_of_head(arm, policy)
    rule = arm.label_rule
    if rule is None:
        return None

    def answer(prompts: Sequence[list[int]], unwanted: Callable[[int], bool] | None = None) -> LabelAnswers:
        return label_answers(policy, arm.task, prompts, arm.numerics, arm.study.max_length, rule, unwanted)

    return answer


def _labels_of_head(arm: ArmOfRun, policy: Policy) -> ScoreLabels:
    def answer(prompts: Sequence[list[int]], unwanted: Callable[[int], bool] | None = None) -> LabelAnswers:
        wanted = [i for i in range(len(prompts)) if unwanted is None or not unwanted(i)]
        labels, threshold = tuple(arm.task.answer.labels), arm.threshold
        likely = torch.full((len(prompts), len(labels)), 1 / len(labels))
        with timed() as cost:
            likely[wanted] = arm.head_probabilities(policy, [prompts[i] for i in wanted])
        probabilities: list[Mapping[str, float]] = [dict(zip(labels, row, strict=True)) for row in likely.tolist()]
        texts = [arm.head_text(one, threshold) for one in probabilities]
        return LabelAnswers(texts, probabilities, ties=0, without_marker=0, cost=cost)

    return answer


def replies_as_measured(
    arm: ArmOfRun, policy: Policy
) -> Callable[[Sequence[Example], Sequence[list[int]]], list[Reply]]:
    """The `Answers` function of a policy for `short_check`, in the way in which the arm answered."""
    labels = labels_as_measured(arm, policy)
    if labels is None:
        return answers_of(policy, arm.task.answer.max_new_tokens)

    def answer(_: Sequence[Example], prompts: Sequence[list[int]]) -> list[Reply]:
        found = labels(prompts)
        return [Reply(text, scores=one) for text, one in zip(found.texts, found.probabilities, strict=True)]

    return answer


def _reply(tokenizer: Any, ids: list[int], logprobs: list[float]) -> Reply:
    """`logprobs` may end with the stop token's, which is not part of the text."""
    pairs = tuple((tokenizer.decode([token]), logprob) for token, logprob in zip(ids, logprobs, strict=False))
    return Reply(tokenizer.decode(ids, skip_special_tokens=True), logprobs=pairs)
