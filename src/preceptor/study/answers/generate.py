"""Greedy generation: the arm's policy writes its answer, at each step the likeliest token."""

from collections.abc import Sequence

from preceptor.engine import Work, generate, writing_work
from preceptor.models import Policy, stop_tokens
from preceptor.study.expected_work import WorkContext, gold_lengths
from preceptor.study.predictions.answer_context import AnswerContext, Answerer, Answering, OnBatch
from preceptor.tasks import Task

title = "Base"
phrase = "the base model"
explanation = "The untouched model."
deterministic = True
asks_policy = True
language_model = True

BATCH_SIZE = 32
"""Prompts that are answered together."""


def unsupported_reason(task: Task) -> str | None:
    """It answers every task."""
    return None


def key(context: AnswerContext) -> str:
    """Its answers depend on the policy alone."""
    return context.policy_key


def answer(context: AnswerContext) -> Answering:
    """The policy's greedy text for each held-out prompt."""
    task = context.task
    return Answering(greedy_generation(context.load_policy(), task.test, task.task.answer.max_new_tokens))


def work(context: WorkContext) -> Work:
    """Answers as long as gold's; an untrained model seldom stops before the limit."""
    prompts, longest = context.task.test, context.task.task.answer.max_new_tokens
    lengths = gold_lengths(context.task, len(prompts)) if context.trained else [longest + 1] * len(prompts)
    return writing_work(prompts, lengths, longest, share=context.shares)


def greedy_generation(
    policy: Policy, prompts: Sequence[list[int]], max_new_tokens: int, *, rows: int = BATCH_SIZE
) -> Answerer:
    """Greedy text for `prompts`, as every trained arm answers."""

    def answer(done: frozenset[int], on_batch: OnBatch) -> None:
        def decode(batch: list[int], answers: list[list[int]]) -> None:
            texts = [policy.tokenizer.decode(ids, skip_special_tokens=True) for ids in answers]
            on_batch(dict(zip(batch, texts, strict=True)))

        generate(
            policy,
            prompts,
            max_new_tokens=max_new_tokens,
            stop=stop_tokens(policy.tokenizer),
            rows=rows,
            done=done,
            on_batch=decode,
        )

    return answer
