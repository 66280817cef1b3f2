"""A trained head: the label of the head's highest output; nothing is written."""

from collections.abc import Sequence

import torch

from preceptor.engine import (
    Numerics,
    Work,
    computed_together,
    is_encoder,
    sequence_states,
    shares_prefixes,
    tree_work,
)
from preceptor.files import digest
from preceptor.models import Encoded, Policy, heads_of
from preceptor.study.answers._greedy import BATCH_SIZE
from preceptor.study.expected_work import WorkContext
from preceptor.study.predictions.answer_context import AnswerContext, Answering, OnBatch
from preceptor.tasks import Task

title = "Head"
phrase = "the classifier"
explanation = "The label of the head's highest output."
deterministic = True
asks_policy = True
language_model = True
needs_head = True


def unsupported_reason(task: Task) -> str | None:
    """It gives labels."""
    return None if task.labels else "it gives labels only"


def key(context: AnswerContext) -> str:
    """Its answers depend on the policy alone, and on the order of the labels."""
    return digest(["head", context.policy_key, list(context.task.task.labels)])


def answer(context: AnswerContext) -> Answering:
    """The likeliest label of each held-out case, batch by batch."""
    policy, task, prompts = context.load_policy(), context.task.task, context.task.test

    def choose(done: frozenset[int], on_batch: OnBatch) -> None:
        for start in range(0, len(prompts), BATCH_SIZE):
            batch = range(start, min(start + BATCH_SIZE, len(prompts)))
            if not done.issuperset(batch):
                likely = label_probabilities(policy, [prompts[i] for i in batch], context.numerics)
                chosen = [task.labels[one] for one in likely.argmax(-1).tolist()]
                texts = {i: task.format_answer(label) for i, label in zip(batch, chosen, strict=True)}
                shares = (dict(zip(task.labels, row, strict=True)) for row in likely.tolist())
                on_batch(texts, scores=dict(zip(batch, shares, strict=True)))

    return Answering(choose)


def work(context: WorkContext) -> Work:
    """Each held-out prompt is read once."""
    prompts = [[Encoded(prompt, [])] for prompt in context.task.test]
    tokens_per_tree, padded = context.study.numerics.tokens_per_tree, is_encoder(context.model)
    return tree_work("score", prompts, tokens_per_tree, share=context.shares, padded=padded)


@torch.no_grad()
def label_probabilities(policy: Policy, prompts: Sequence[list[int]], numerics: Numerics) -> torch.Tensor:
    """Softmax of the head's outputs: [prompts, labels] float32, in the order of the task's labels."""
    policy.model.eval()
    (head,) = heads_of(policy.model).values()
    share = shares_prefixes(policy)
    rows = torch.empty(len(prompts), head.out_features)
    for tree in computed_together(policy.model, range(len(prompts)), lambda i: [prompts[i]], numerics.tokens_per_tree):
        states = sequence_states(policy.model, [prompts[i] for i in tree], head, share=share)
        rows[list(tree)] = head(states).softmax(-1).cpu()
    return rows
