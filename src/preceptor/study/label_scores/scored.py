"""Every label of a task scored behind prompts, and the answers that follow from it.

score(label) is the summed log-probability, in nats and float32, of the label's tokens and the stop token behind the
prompt; where reasoning comes before the label, behind the prompt and the model's own reasoning up to the marker.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from preceptor.engine import Cost, Numerics, likeliest, score_answers
from preceptor.models import Policy, encode_answer
from preceptor.study.label_scores.calibration import Array, as_scores, calibrated, label_probabilities
from preceptor.study.label_scores.reasoning import has_marker, stem, write_reasoning
from preceptor.tasks import Task


class LabelRule(BaseModel):
    """How an arm's label scores become its answers; kept with them.

    The answer is the label of the highest score - tau * mean; probabilities are the softmax of score -
    probabilities_tau * mean. means: in nats, in the order of the labels.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    labels: tuple[str, ...]
    tau: float = Field(ge=0, le=1)
    means: tuple[float, ...]
    probabilities_tau: float = Field(ge=0, le=1)


def plain_rule(task: Task) -> LabelRule:
    """The label of the highest score, nothing taken away."""
    return LabelRule(labels=task.labels, tau=0.0, means=(0.0,) * len(task.labels), probabilities_tau=0.0)


@dataclass(frozen=True, slots=True)
class LabelScores:
    """values: [prompts, labels] in nats. stems: what stands before each prompt's label. without_marker: for how many
    prompts the model wrote no marker, so that one was put behind its text.
    """

    values: Array
    stems: list[str] = field(repr=False)
    without_marker: int
    cost: Cost


@dataclass(frozen=True, slots=True)
class LabelAnswers:
    """One answer a prompt: its text, and how probable each label is. ties: how many were drawn between labels of the
    same score. without_marker: see `LabelScores`.
    """

    texts: list[str] = field(repr=False)
    probabilities: list[Mapping[str, float]] = field(repr=False)
    ties: int
    without_marker: int
    cost: Cost


def score_labels(
    policy: Policy,
    task: Task,
    prompts: Sequence[list[int]],
    numerics: Numerics,
    max_length: int,
    written: Sequence[str] | None = None,
    unwanted: Callable[[int], bool] | None = None,
) -> LabelScores:
    """Score every label behind every prompt, of at most `max_length` tokens together.

    written: greedy text for each prompt, where there is some already; reasoning is not written again then. unwanted:
    whether nobody waits for a prompt any more, by its number; its scores are then any.
    """
    cost, without_marker, stems = Cost(), 0, [""] * len(prompts)
    if task.answer.parser == "final_answer" and prompts:
        if written is None:
            written, cost = write_reasoning(policy, task, prompts, unwanted)
        without_marker = sum(not has_marker(text, task) for text in written)
        rooms = [max_length - len(prompt) for prompt in prompts]
        stems = [stem(policy, text, task, room) for text, room in zip(written, rooms, strict=True)]
    candidates = [[encode_answer(policy.tokenizer, one + label) for label in task.labels] for one in stems]
    # What all labels stand behind is read and not scored: it takes no label further than another.
    shared = [_alike(row) if one else 0 for one, row in zip(stems, candidates, strict=True)]
    behind = [prompt + row[0][:n] for prompt, row, n in zip(prompts, candidates, shared, strict=True)]
    tails = [[answer[n:] for answer in row] for row, n in zip(candidates, shared, strict=True)]
    values, spent = score_answers(policy, behind, tails, numerics, unwanted=unwanted)
    return LabelScores(as_scores(values, len(task.labels)), stems, without_marker, cost + spent)


def answers_by(rule: LabelRule, scores: LabelScores, task: Task, prompts: Sequence[list[int]]) -> LabelAnswers:
    """The answers of these scores by the rule; between labels of the very same score the prompt's token ids decide."""
    means = np.array(rule.means)
    chosen = [
        likeliest(row, prompt)
        for row, prompt in zip(calibrated(scores.values, means, rule.tau).tolist(), prompts, strict=True)
    ]
    shares = label_probabilities(scores.values, means, rule.probabilities_tau).tolist()
    return LabelAnswers(
        [one + task.labels[which.index] for one, which in zip(scores.stems, chosen, strict=True)],
        [dict(zip(task.labels, row, strict=True)) for row in shares],
        sum(which.tied for which in chosen),
        scores.without_marker,
        scores.cost,
    )


def label_answers(
    policy: Policy,
    task: Task,
    prompts: Sequence[list[int]],
    numerics: Numerics,
    max_length: int,
    rule: LabelRule,
    unwanted: Callable[[int], bool] | None = None,
) -> LabelAnswers:
    """Score every label behind every prompt and answer by the rule: what a study, a server and a check of it share.

    unwanted: see `score_labels`.
    """
    scores = score_labels(policy, task, prompts, numerics, max_length, unwanted=unwanted)
    return answers_by(rule, scores, task, prompts)


def likeliest_labels(
    policy: Policy, prompts: Sequence[list[int]], *, task: Task, numerics: Numerics, max_length: int
) -> tuple[list[str], Cost]:
    """The text of the answer with the highest score for each prompt; nothing is taken away."""
    found = label_answers(policy, task, prompts, numerics, max_length, plain_rule(task))
    return found.texts, found.cost


def _alike(answers: Sequence[Sequence[int]]) -> int:
    """How many first tokens all answers share."""
    return next((n for n, tokens in enumerate(zip(*answers, strict=False)) if len(set(tokens)) > 1), 0)
