"""Requests wait at a desk; one thread answers those that wait, together, and tells each token as soon as it is chosen.

A batch is written to its end before the next begins: whoever comes in between waits, for the answers of a batch are at
most as long as the task's longest. A client that leaves frees its place at the next token.
"""

import asyncio
import logging
import math
from collections import deque
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Literal

import torch
from torch import Tensor

from preceptor.engine import Cost, float32_head, generate
from preceptor.models import Policy, stop_tokens
from preceptor.ship.serving._counts import Counts
from preceptor.ship.serving._refused import RefusedError, fault
from preceptor.web.requests import describe

ROWS = 32
"""Requests answered at a time, as many as held-out cases in a study."""
_GATHER = 0.02
"""Seconds in which others may join the first of a batch. Without them, clients that ask again when they are answered
would fall apart into batches of one and of all others, in turn."""

log = logging.getLogger("preceptor.serving")

Reason = Literal["stop", "length"]


@dataclass(frozen=True, slots=True)
class Token:
    """A token of an answer; `logprob` in nats, where it was asked for."""

    id: int
    logprob: float | None


@dataclass(frozen=True, slots=True)
class End:
    """No token follows: the answer ended, or had no more room. None: something went wrong."""

    reason: Reason | None


@dataclass(slots=True, eq=False)
class Job:
    """One request. room: how many tokens its answer may have at most; told: what the answering thread says."""

    room: int
    logprobs: bool
    loop: asyncio.AbstractEventLoop = field(repr=False)
    prompt: list[int] = field(default_factory=list, repr=False)
    told: asyncio.Queue[Token | End] = field(default_factory=asyncio.Queue, repr=False)
    tokens: int = 0
    over: bool = False
    """It was answered, or its client has left."""

    def take(self, token: int, logprob: float | None, stop: frozenset[int]) -> None:
        """Tell a token; called in the answering thread."""
        if self.over:
            return
        if token in stop:
            self.end("stop")
            return
        self.tokens += 1
        self._tell(Token(token, logprob))
        if self.tokens == self.room:
            self.end("length")

    def end(self, reason: Reason | None) -> None:
        """Tell the end; called in the answering thread."""
        if not self.over:
            self.over = True
            self._tell(End(reason))

    def _tell(self, what: Token | End) -> None:
        with suppress(RuntimeError):  # the loop has been closed: the server is ending
            self.loop.call_soon_threadsafe(self.told.put_nowait, what)


class Desk:
    """The queue of one policy. `places`: how many requests may wait. Everything but `_write` runs on the event loop."""

    def __init__(self, policy: Policy, *, max_new_tokens: int, threads: int, places: int, counts: Counts) -> None:
        self._policy, self._stop = policy, stop_tokens(policy.tokenizer)
        self.max_new_tokens, self.threads, self.places, self.counts = max_new_tokens, threads, places, counts
        self._placed: set[Job] = set()  # those whose prompt is being read, and those that wait
        self._waiting: deque[Job] = deque()
        self._batch: list[Job] = []
        self._seconds = 1.0  # that the latest batch took
        self._came = asyncio.Event()

    def beside(self, *, places: int) -> "Desk":
        """Another desk of the same policy, whose requests are not counted. Only one of them may be open at a time."""
        return Desk(
            self._policy, max_new_tokens=self.max_new_tokens, threads=self.threads, places=places, counts=Counts()
        )

    @property
    def waiting(self) -> int:
        """Requests that wait, or whose prompt is being read."""
        return len(self._placed)

    @property
    def answering(self) -> int:
        """Requests of the present batch that are not over."""
        return sum(not job.over for job in self._batch)

    def take_place(self, room: int, *, logprobs: bool) -> Job:
        """A place for a request whose prompt is to follow. Raises `RefusedError` when none is free."""
        if len(self._placed) >= self.places:
            seconds = math.ceil(self._seconds * (1 + len(self._placed) // ROWS))
            message = f"{self.places} requests wait already; ask again in {seconds} s"
            raise RefusedError(HTTPStatus.TOO_MANY_REQUESTS, message, code="queue_full", retry=seconds)
        job = Job(min(room, self.max_new_tokens), logprobs, asyncio.get_running_loop())
        self._placed.add(job)
        return job

    def wait(self, job: Job, prompt: list[int]) -> None:
        """Put a request behind those that wait."""
        job.prompt = prompt
        self._waiting.append(job)
        self._came.set()

    def leave(self, job: Job) -> None:
        """Give up a request's place, wherever it is; nothing happens when it was answered."""
        job.over = True
        self._placed.discard(job)
        with suppress(ValueError):
            self._waiting.remove(job)

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Answer those who wait. At the end, who is still waiting is told that it will not be answered."""
        answering = ThreadPoolExecutor(1, "answering", torch.set_num_threads, (self.threads,))
        with float32_head(self._policy.model), answering as thread:
            work = asyncio.create_task(self._work(thread))
            try:
                yield
            finally:
                work.cancel()
                for job in [*self._batch, *self._waiting]:
                    job.end(None)  # the thread stops at the next token

    async def _work(self, thread: ThreadPoolExecutor) -> None:
        while True:
            await self._came.wait()
            await asyncio.sleep(_GATHER)
            self._batch = [self._waiting.popleft() for _ in range(min(ROWS, len(self._waiting)))]
            self._placed.difference_update(self._batch)
            if not self._waiting:
                self._came.clear()
            if self._batch:
                await asyncio.get_running_loop().run_in_executor(thread, self._write, self._batch)
                self._batch = []

    def _write(self, batch: Sequence[Job]) -> None:
        """Answer a batch, in the answering thread."""

        def told(indices: list[int], tokens: list[int], logits: Tensor) -> list[int]:
            asked = any(batch[i].logprobs for i in indices)
            logprobs = _logprobs(tokens, logits) if asked else [None] * len(tokens)
            for i, token, logprob in zip(indices, tokens, logprobs, strict=True):
                batch[i].take(token, logprob, self._stop)
            return [i for i in indices if batch[i].over]

        try:
            cost = generate(
                self._policy,
                [job.prompt for job in batch],
                max_new_tokens=max(job.room for job in batch),
                stop=self._stop,
                rows=ROWS,
                on_batch=lambda *_: None,
                on_token=told,
            )
        except Exception as error:
            log.error("fault: %s", describe(error))
            for job in batch:
                job.end(None)
        else:
            self._count(batch, cost)

    def _count(self, batch: Sequence[Job], cost: Cost) -> None:
        self._seconds = cost.seconds
        self.counts.batches += 1
        self.counts.batch_seconds += cost.seconds
        self.counts.prompt_tokens += sum(len(job.prompt) for job in batch)
        self.counts.answer_tokens += sum(job.tokens for job in batch)


def _logprobs(tokens: list[int], logits: Tensor) -> list[float | None]:
    """log p of each row's token. logits: [rows, vocabulary]."""
    at = torch.tensor(tokens, device=logits.device)[:, None]
    chosen: list[float | None] = logits.float().log_softmax(-1).gather(-1, at)[:, 0].tolist()
    return chosen


async def tokens_of(job: Job) -> AsyncIterator[Token | End]:
    """The tokens of an answer as they come, then its end. Raises `RefusedError` when something went wrong."""
    while True:
        told = await job.told.get()
        if isinstance(told, End):
            if told.reason is None:
                raise fault()
            yield told
            return
        yield told
