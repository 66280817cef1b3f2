"""A trained head: the label of its highest output, or the labels whose outputs are high enough; nothing is written."""

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
from preceptor.models import Policy, heads_of
from preceptor.study.answers._greedy import BATCH_SIZE
from preceptor.study.expected_work import WorkContext
from preceptor.study.label_sets import Array, choose_threshold, membership, set_rule_key, sets_by, texts_of
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
    return None if task.labels or task.set_labels else "it gives labels only"


def key(context: AnswerContext) -> str:
    """Its answers depend on the policy alone, and on the order of the labels; of several labels, which the policy's own
    validation cases give a threshold, also on the metric.
    """
    if context.task.task.set_labels:
        return digest(["head", context.policy_key, set_rule_key(context.task.task)])
    return digest(["head", context.policy_key, list(context.task.task.labels)])


def answer(context: AnswerContext) -> Answering:
    """The likeliest label of each held-out case, or its likely labels, batch by batch."""
    policy, task, prompts = context.load_policy(), context.task.task, context.task.test
    if task.set_labels:
        return _answer_sets(context, policy)

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


def _answer_sets(context: AnswerContext, policy: Policy) -> Answering:
    """The labels of each held-out case whose sigmoid reaches the threshold that validation cases give."""
    prepared, note = context.task, dict[str, float]()
    task, validation, prompts = prepared.task, prepared.splits.validation, prepared.test

    def likely(asked: Sequence[list[int]]) -> Array:
        outputs = [head_outputs(policy, asked[n : n + BATCH_SIZE], context.numerics) for n in batches_of(asked)]
        return torch.cat(outputs).sigmoid().numpy().astype("float64")

    def choose(done: frozenset[int], on_batch: OnBatch) -> None:
        gold = membership(task, [task.label_set(one.target) or () for one in validation])
        threshold = choose_threshold(task, gold, likely([one.prompt for one in prepared.validation]))
        note.update(threshold=threshold)
        for start in batches_of(prompts):
            batch = range(start, min(start + BATCH_SIZE, len(prompts)))
            if not done.issuperset(batch):
                found = likely([prompts[i] for i in batch])
                texts = dict(zip(batch, texts_of(task, sets_by(task, found, threshold)), strict=True))
                shares = (dict(zip(task.set_labels, row, strict=True)) for row in found.tolist())
                on_batch(texts, scores=dict(zip(batch, shares, strict=True)))

    return Answering(choose, note=note)


def batches_of(prompts: Sequence[list[int]]) -> range:
    """Where each batch begins; always the same, so that a run that was killed goes on."""
    return range(0, len(prompts), BATCH_SIZE)


def work(context: WorkContext) -> Work:
    """Each held-out prompt is read once, and where answers are sets each validation prompt too."""
    validation = [one.prompt for one in context.task.validation] if context.task.task.set_labels else []
    prompts = context.read_by_head([*validation, *context.task.test])
    tokens_per_tree, padded = context.study.numerics.tokens_per_tree, is_encoder(context.model)
    return tree_work("score", prompts, tokens_per_tree, share=context.shares, padded=padded)


def label_probabilities(policy: Policy, prompts: Sequence[list[int]], numerics: Numerics) -> torch.Tensor:
    """Softmax of the head's outputs: [prompts, labels] float32, in the order of the task's labels."""
    return head_outputs(policy, prompts, numerics).softmax(-1)


@torch.no_grad()
def head_outputs(policy: Policy, prompts: Sequence[list[int]], numerics: Numerics) -> torch.Tensor:
    """The head's outputs before any softmax: [prompts, labels] float32, in the order of the task's labels."""
    policy.model.eval()
    (head,) = heads_of(policy.model).values()
    share = shares_prefixes(policy)
    rows, tokens = torch.empty(len(prompts), head.out_features), numerics.tokens_per_tree
    for tree in computed_together(policy.model, range(len(prompts)), lambda i: head.pieces(prompts[i]), tokens):
        states = sequence_states(policy.model, [prompts[i] for i in tree], head, share=share)
        rows[list(tree)] = head(states).cpu()
    return rows
