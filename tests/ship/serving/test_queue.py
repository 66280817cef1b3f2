"""The batch queue in this process: errors, capacity and batching."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest
import torch

from preceptor.engine import Numerics
from preceptor.models import Policy, load_policy, stop_tokens
from preceptor.ship.serving._counts import Counts
from preceptor.ship.serving._queue import BatchQueue, Job, Token, stream_tokens
from preceptor.ship.serving._refused import RefusedError
from preceptor.study import LabelAnswers, label_answers
from preceptor.study.label_scores.scored import plain_rule
from preceptor.tasks import Task
from tiny_study import TASK

PROMPTS = [[*range(40, 60), 60 + n] for n in range(5)]
MAX_NEW_TOKENS = 12


@pytest.fixture(scope="module")
def policy(tiny_source: Any) -> Policy:
    return load_policy(tiny_source, None, dtype=torch.float32)


def with_queue(
    policy: Policy, ask: Callable[[BatchQueue], Awaitable[Any]], *, capacity: int = 8, **options: Any
) -> tuple[Any, BatchQueue]:
    """The result of `ask` with an open queue, and the queue."""
    queue = BatchQueue(policy, max_new_tokens=MAX_NEW_TOKENS, threads=1, capacity=capacity, counts=Counts(), **options)

    async def opened() -> Any:
        async with queue.open():
            return await ask(queue)

    return asyncio.run(opened()), queue


def enqueued(queue: BatchQueue, prompt: Sequence[int], max_new_tokens: int = MAX_NEW_TOKENS) -> Job:
    job = queue.reserve(max_new_tokens)
    queue.enqueue(job, list(prompt))
    return job


async def answer(job: Job) -> list[int] | None:
    """Token ids; None where something went wrong."""
    try:
        return [event.id async for event in stream_tokens(job) if isinstance(event, Token)]
    except RefusedError:
        return None


def test_those_who_come_together_are_answered_together_and_as_if_alone(policy: Policy) -> None:
    async def together(queue: BatchQueue) -> Any:
        return await asyncio.gather(*(answer(enqueued(queue, prompt, 3 + n)) for n, prompt in enumerate(PROMPTS)))

    async def alone(queue: BatchQueue) -> Any:
        return [await answer(enqueued(queue, prompt)) for prompt in PROMPTS]

    found, queue = with_queue(policy, together)
    single, one_by_one = with_queue(policy, alone)
    assert found == [ids[: 3 + n] for n, ids in enumerate(single)]
    assert (queue.counts.batches, one_by_one.counts.batches) == (1, 5)
    assert queue.counts.answer_tokens == sum(map(len, found))
    assert queue.counts.prompt_tokens == sum(map(len, PROMPTS))


def test_a_fault_is_told_to_its_batch_is_logged_without_words_and_the_next_is_answered(
    policy: Policy, caplog: pytest.LogCaptureFixture
) -> None:
    async def ask(queue: BatchQueue) -> Any:
        beyond = [10**6]  # no such token: the model cannot even look it up
        first = await asyncio.gather(answer(enqueued(queue, PROMPTS[0])), answer(enqueued(queue, beyond)))
        return first, await answer(enqueued(queue, PROMPTS[0]))

    with caplog.at_level(logging.ERROR, "preceptor.serving"):
        (first, second), queue = with_queue(policy, ask)
    assert first == [None, None]
    assert second
    assert [record.getMessage().split()[:2] for record in caplog.records] == [["fault:", "IndexError"]]
    assert queue.waiting == queue.answering == 0


def test_who_leaves_is_not_answered_and_its_place_is_free(policy: Policy) -> None:
    async def ask(queue: BatchQueue) -> Any:
        stays, leaves = enqueued(queue, PROMPTS[0]), enqueued(queue, PROMPTS[1])
        with pytest.raises(RefusedError, match="2 requests wait already"):
            queue.reserve(MAX_NEW_TOKENS)
        queue.cancel(leaves)
        assert queue.waiting == 1
        again = enqueued(queue, PROMPTS[2])
        return await asyncio.gather(answer(stays), answer(again)), leaves

    (found, leaves), queue = with_queue(policy, ask, capacity=2)
    assert all(found)
    assert leaves.events.empty()
    assert queue.counts.answer_tokens == sum(map(len, found))


@pytest.mark.parametrize("parser", ["label", "final_answer"])
def test_for_who_leaves_while_labels_are_scored_nothing_more_is_read_or_written(parser: str, policy: Policy) -> None:
    """float32; each prompt is a tree of its own."""
    task = Task.model_validate(TASK | {"answer": TASK["answer"] | {"parser": parser}})
    numerics = Numerics(threads=1, dtype="float32", tokens_per_tree=64)
    prompts = [[*range(40 + 60 * n, 100 + 60 * n)] for n in range(5)]
    costs: list[int] = []

    def leaving(count: int) -> list[Any]:
        jobs: list[Job] = []

        def score(asked: Sequence[list[int]], unwanted: Callable[[int], bool]) -> LabelAnswers:
            for job in jobs[:count]:
                job.finished = True
            found = label_answers(policy, task, asked, numerics, 512, plain_rule(task), unwanted)
            costs.append(found.cost.tokens_computed)
            return found

        async def ask(queue: BatchQueue) -> Any:
            for prompt in prompts:
                jobs.append(queue.reserve(MAX_NEW_TOKENS))
                queue.enqueue(jobs[-1], prompt, of_task=True)
            return await asyncio.gather(*map(answer, jobs[count:]))

        found, queue = with_queue(policy, ask, score_labels=score)
        assert all(job.events.empty() for job in jobs)
        assert queue.counts.answer_tokens == sum(map(len, found))
        return list(found)

    every, some = leaving(0), leaving(3)
    assert some == every[3:]
    assert costs[1] < costs[0] * (0.5 if parser == "label" else 0.8)  # all prompts are read before reasoning is written


def test_those_who_are_still_there_at_the_end_are_told(policy: Policy) -> None:
    async def ask(queue: BatchQueue) -> Any:
        job = enqueued(queue, PROMPTS[0])
        return asyncio.ensure_future(answer(job))

    async def opened() -> Any:
        queue = BatchQueue(policy, max_new_tokens=MAX_NEW_TOKENS, threads=1, capacity=1, counts=Counts())
        async with queue.open():
            waits = await ask(queue)
        return await waits

    assert asyncio.run(opened()) is None


def test_an_answer_that_ends_is_told_without_its_last_token(policy: Policy) -> None:
    async def ask(queue: BatchQueue) -> Any:
        free = await answer(enqueued(queue, PROMPTS[0]))
        queue._stop = frozenset({free[0]})
        job = enqueued(queue, PROMPTS[0])
        return [event async for event in stream_tokens(job)], stop_tokens(policy.tokenizer)

    (event, _), _ = with_queue(policy, ask)
    assert event == ["stop"]
