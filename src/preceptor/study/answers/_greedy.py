"""Greedy text: at each step the likeliest token."""

from collections.abc import Sequence

from preceptor.engine import generate
from preceptor.models import Policy, stop_tokens
from preceptor.study.predictions.answer_context import Answerer, OnBatch

BATCH_SIZE = 32
"""Prompts that are answered together."""


def greedy_generation(
    policy: Policy, prompts: Sequence[list[int]], max_new_tokens: int, *, rows: int = BATCH_SIZE
) -> Answerer:
    """Greedy text for `prompts`, as every arm answers text tasks."""

    def answer(done: frozenset[int], on_batch: OnBatch) -> None:
        def decode(batch: list[int], answers: list[list[int]]) -> None:
            on_batch(_decoded(policy, batch, answers))

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


def greedy_texts(policy: Policy, prompts: Sequence[list[int]], max_new_tokens: int) -> list[str]:
    """Greedy text for each of `prompts`, all at once."""
    texts: dict[int, str] = {}

    def decode(batch: list[int], answers: list[list[int]]) -> None:
        texts.update(_decoded(policy, batch, answers))

    stop = stop_tokens(policy.tokenizer)
    generate(policy, prompts, max_new_tokens=max_new_tokens, stop=stop, rows=BATCH_SIZE, on_batch=decode)
    return [texts[i] for i in range(len(prompts))]


def _decoded(policy: Policy, batch: Sequence[int], answers: Sequence[list[int]]) -> dict[int, str]:
    texts = [policy.tokenizer.decode(ids, skip_special_tokens=True) for ids in answers]
    return dict(zip(batch, texts, strict=True))
