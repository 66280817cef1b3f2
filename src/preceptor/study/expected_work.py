"""How much work a stage or an arm's answers will be: what its file is given to count it. Unknown lengths are gold's."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import nn

from preceptor.engine import Work, tree_work, writing_work
from preceptor.models import Encoded, Slot, pieces_read
from preceptor.study.cases import Prepared
from preceptor.study.spec.stages import StageRef
from preceptor.study.spec.study import Study


@dataclass(frozen=True, slots=True)
class WorkContext:
    """What the work depends on.

    model: without numbers, to count operations. shares: whether it computes prefix trees. stage: None for answers.
    trained: whether the policy that works was trained. spent: floating-point operations of the arm whose compute a
    stage is given. base_folder: where the study file lies. slots: those of the stage, or of the policy that answers.
    """

    study: Study
    settings: Any
    task: Prepared
    model: nn.Module
    shares: bool
    stage: StageRef | None = None
    trained: bool = True
    spent: float | None = None
    base_folder: Path = Path()
    slots: Mapping[str, Slot] = field(default_factory=dict)

    def read_by_head(self, prompts: Sequence[list[int]]) -> list[list[Encoded]]:
        """What the model computes of each prompt for its head: the prompt itself, or its pieces."""
        pieces = next(filter(None, map(pieces_read, self.slots.values())), None)
        return [[Encoded(piece, []) for piece in (pieces(one) if pieces else [one])] for one in prompts]


def stand_in(answer: Sequence[int], shared: int, which: int) -> list[int]:
    """Token ids of an answer as long as another, alike in its first `shared` tokens (in all but its last for < 0)."""
    alike = list(answer[:shared])
    return alike + [-1 - which] * (len(answer) - len(alike))


def gold_lengths(task: Prepared, count: int) -> list[int]:
    """How many tokens so many answers will have, if they are like those of training cases."""
    lengths = [len(case.answer) for case in task.train]
    return [lengths[i % len(lengths)] for i in range(count)]


def answer_lengths(context: WorkContext, count: int) -> list[int]:
    """How many tokens so many free answers will have: as many as gold's; an untrained model seldom stops before the
    limit.
    """
    longest = context.task.task.answer.max_new_tokens
    return gold_lengths(context.task, count) if context.trained else [longest + 1] * count


def label_work(context: WorkContext, prompts: Sequence[list[int]], *, written: bool = False) -> Work:
    """Every label scored behind each prompt, and the reasoning before it, where the task asks for some.

    written: the reasoning is there already.
    """
    task, gold = context.task.task, context.task.train[0].answer
    reasons = task.answer.parser == "final_answer"
    stem, tail = (gold[:-2], gold[-2:]) if reasons else ([], gold)
    labels = [stand_in(tail, 0, n) for n in range(len(task.labels))]
    candidates = [[Encoded(prompt + stem, label) for label in labels] for prompt in prompts]
    scored = tree_work("score", candidates, context.study.numerics.tokens_per_tree, share=context.shares)
    if written or not reasons:
        return scored
    lengths = answer_lengths(context, len(prompts))
    return writing_work(prompts, lengths, task.answer.max_new_tokens, share=context.shares) + scored
