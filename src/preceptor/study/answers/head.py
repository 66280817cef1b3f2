"""A trained head: the label of its highest output, or the labels whose outputs are high enough; nothing is written."""

from collections.abc import Mapping, Sequence

import torch

from preceptor.engine import (
    Numerics,
    Work,
    is_encoder,
    shares_prefixes,
    states_by_batch,
    tree_work,
)
from preceptor.files import digest
from preceptor.models import Policy, heads_of
from preceptor.study.answers._greedy import BATCH_SIZE
from preceptor.study.answers._weighed_snippets import weigh, weighs_snippets
from preceptor.study.expected_work import WorkContext
from preceptor.study.label_sets import choose_threshold, membership, score_rows, set_rule_key, sets_by, texts_of
from preceptor.study.predictions.answer_context import AnswerContext, Answering, OnBatch, Snippet
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
    """The likeliest label of each held-out case, or the labels that reach the threshold, batch by batch."""
    policy, prepared, note = context.load_policy(), context.task, dict[str, float]()
    task, prompts, several = prepared.task, prepared.test, bool(prepared.task.set_labels)

    def likely(asked: Sequence[list[int]]) -> list[dict[str, float]]:
        rows = label_probabilities(policy, asked, context.numerics, several=several).tolist()
        return [dict(zip(task.labels or task.set_labels, row, strict=True)) for row in rows]

    def answered(batch: range) -> tuple[list[dict[str, float]], dict[int, list[Snippet]]]:
        if several or not weighs_snippets(policy):
            return likely([prompts[i] for i in batch]), {}
        outputs, snippets = weigh(policy, prepared, batch, context.numerics)
        return [dict(zip(task.labels, row, strict=True)) for row in outputs.softmax(-1).tolist()], snippets

    def validated_threshold() -> float:
        asked, cases = [one.prompt for one in prepared.validation], prepared.splits.validation
        found = [row for n in batches_of(asked) for row in likely(asked[n : n + BATCH_SIZE])]
        gold = membership(task, [task.label_set(one.target) or () for one in cases])
        return choose_threshold(task, gold, score_rows(task, found))

    def choose(done: frozenset[int], on_batch: OnBatch) -> None:
        if several:
            note.update(threshold=validated_threshold())
        for start in batches_of(prompts):
            batch = range(start, min(start + BATCH_SIZE, len(prompts)))
            if not done.issuperset(batch):
                shares, snippets = answered(batch)
                texts = (text_by(task, one, note.get("threshold")) for one in shares)
                scores = dict(zip(batch, shares, strict=True))
                on_batch(dict(zip(batch, texts, strict=True)), scores=scores, snippets=snippets)

    return Answering(choose, note=note)


def text_by(task: Task, likely: Mapping[str, float], threshold: float | None) -> str:
    """The answer where labels are so probable: the likeliest label, or of several those that reach the threshold."""
    if threshold is None:
        return task.format_answer(max(likely, key=likely.__getitem__))
    return texts_of(task, sets_by(task, score_rows(task, [likely]), threshold))[0]


def batches_of(prompts: Sequence[list[int]]) -> range:
    """Where each batch begins; always the same, so that a run that was killed goes on."""
    return range(0, len(prompts), BATCH_SIZE)


def work(context: WorkContext) -> Work:
    """Each held-out prompt is read once, and where answers are sets each validation prompt too."""
    validation = [one.prompt for one in context.task.validation] if context.task.task.set_labels else []
    prompts = context.read_by_head([*validation, *context.task.test])
    tokens_per_tree, padded = context.study.numerics.tokens_per_tree, is_encoder(context.model)
    return tree_work("score", prompts, tokens_per_tree, share=context.shares, padded=padded)


def label_probabilities(
    policy: Policy, prompts: Sequence[list[int]], numerics: Numerics, *, several: bool = False
) -> torch.Tensor:
    """Softmax of the head's outputs, or where an answer has several labels the sigmoid of each: [prompts, labels]
    float32, in the order of the task's labels.
    """
    outputs = head_outputs(policy, prompts, numerics)
    return outputs.sigmoid() if several else outputs.softmax(-1)


@torch.no_grad()
def head_outputs(policy: Policy, prompts: Sequence[list[int]], numerics: Numerics) -> torch.Tensor:
    """The head's outputs before any softmax: [prompts, labels] float32, in the order of the task's labels."""
    policy.model.eval()
    (head,) = heads_of(policy.model).values()
    share = shares_prefixes(policy)
    rows, tokens = torch.empty(len(prompts), head.out_features), numerics.tokens_per_tree
    for batch, states in states_by_batch(policy.model, prompts, head, tokens, share=share):
        rows[list(batch)] = head(states).cpu()
    return rows
