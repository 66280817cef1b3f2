"""The desk in this process: faults, places and who is answered with whom."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest
import torch

from preceptor.models import Policy, load_policy, stop_tokens
from preceptor.ship.serving._counts import Counts
from preceptor.ship.serving._desk import Desk, Job, Token, tokens_of
from preceptor.ship.serving._refused import RefusedError

PROMPTS = [[*range(40, 60), 60 + n] for n in range(5)]
ROOM = 12


@pytest.fixture(scope="module")
def policy(tiny_source: Any) -> Policy:
    return load_policy(tiny_source, None, dtype=torch.float32)


def at_a_desk(policy: Policy, ask: Callable[[Desk], Awaitable[Any]], *, places: int = 8) -> tuple[Any, Desk]:
    """What `ask` comes to at an open desk, and the desk."""
    desk = Desk(policy, max_new_tokens=ROOM, threads=1, places=places, counts=Counts())

    async def opened() -> Any:
        async with desk.open():
            return await ask(desk)

    return asyncio.run(opened()), desk


def placed(desk: Desk, prompt: Sequence[int], room: int = ROOM) -> Job:
    job = desk.take_place(room, logprobs=False)
    desk.wait(job, list(prompt))
    return job


async def answer(job: Job) -> list[int] | None:
    """Token ids; None where something went wrong."""
    try:
        return [told.id async for told in tokens_of(job) if isinstance(told, Token)]
    except RefusedError:
        return None


def test_those_who_come_together_are_answered_together_and_as_if_alone(policy: Policy) -> None:
    async def together(desk: Desk) -> Any:
        return await asyncio.gather(*(answer(placed(desk, prompt, 3 + n)) for n, prompt in enumerate(PROMPTS)))

    async def alone(desk: Desk) -> Any:
        return [await answer(placed(desk, prompt)) for prompt in PROMPTS]

    found, desk = at_a_desk(policy, together)
    single, one_by_one = at_a_desk(policy, alone)
    assert found == [ids[: 3 + n] for n, ids in enumerate(single)]
    assert (desk.counts.batches, one_by_one.counts.batches) == (1, 5)
    assert desk.counts.answer_tokens == sum(map(len, found))
    assert desk.counts.prompt_tokens == sum(map(len, PROMPTS))


def test_a_fault_is_told_to_its_batch_is_logged_without_words_and_the_next_is_answered(
    policy: Policy, caplog: pytest.LogCaptureFixture
) -> None:
    async def ask(desk: Desk) -> Any:
        beyond = [10**6]  # no such token: the model cannot even look it up
        first = await asyncio.gather(answer(placed(desk, PROMPTS[0])), answer(placed(desk, beyond)))
        return first, await answer(placed(desk, PROMPTS[0]))

    with caplog.at_level(logging.ERROR, "preceptor.serving"):
        (first, second), desk = at_a_desk(policy, ask)
    assert first == [None, None]
    assert second
    assert [record.getMessage().split()[:2] for record in caplog.records] == [["fault:", "IndexError"]]
    assert desk.waiting == desk.answering == 0


def test_who_leaves_is_not_answered_and_its_place_is_free(policy: Policy) -> None:
    async def ask(desk: Desk) -> Any:
        stays, leaves = placed(desk, PROMPTS[0]), placed(desk, PROMPTS[1])
        with pytest.raises(RefusedError, match="2 requests wait already"):
            desk.take_place(ROOM, logprobs=False)
        desk.leave(leaves)
        assert desk.waiting == 1
        again = placed(desk, PROMPTS[2])
        return await asyncio.gather(answer(stays), answer(again)), leaves

    (found, leaves), desk = at_a_desk(policy, ask, places=2)
    assert all(found)
    assert leaves.told.empty()
    assert desk.counts.answer_tokens == sum(map(len, found))


def test_those_who_are_still_there_at_the_end_are_told(policy: Policy) -> None:
    async def ask(desk: Desk) -> Any:
        job = placed(desk, PROMPTS[0])
        return asyncio.ensure_future(answer(job))

    async def opened() -> Any:
        desk = Desk(policy, max_new_tokens=ROOM, threads=1, places=1, counts=Counts())
        async with desk.open():
            waits = await ask(desk)
        return await waits

    assert asyncio.run(opened()) is None


def test_an_answer_that_ends_is_told_without_its_last_token(policy: Policy) -> None:
    async def ask(desk: Desk) -> Any:
        free = await answer(placed(desk, PROMPTS[0]))
        desk._stop = frozenset({free[0]})
        job = placed(desk, PROMPTS[0])
        return [told async for told in tokens_of(job)], stop_tokens(policy.tokenizer)

    (told, _), _ = at_a_desk(policy, ask)
    assert [getattr(one, "reason", None) for one in told] == ["stop"]
