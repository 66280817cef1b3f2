"""Static batching: requests wait in a bounded queue, and one worker thread answers a batch of them at a time.

Tokens are streamed as they are chosen. A batch finishes before the next starts, so latency is bounded by the task's
`max_new_tokens`. A request whose client has disconnected is dropped from its batch at the next token. Where the study
scored labels, a request of the task's own is answered by scores, and its tokens come at once; it is dropped before the
next tree of prompts that are scored together. An arm with a head writes nothing: its label comes as a text, in no
tokens.
"""

import asyncio
import logging
import math
from collections import deque
from collections.abc import AsyncIterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Literal

import torch
from torch import Tensor

from preceptor.engine import Cost, float32_head, generate
from preceptor.errors import kind_and_place
from preceptor.models import Policy, encode_answer, stop_tokens
from preceptor.ship._in_process import ScoreLabels
from preceptor.ship.serving._counts import Counts
from preceptor.ship.serving._refused import RefusedError, fault

MAX_BATCH_SIZE = 32
"""Requests per batch, the same as the evaluation's batch size."""
_BATCH_WINDOW = 0.02
"""Seconds to wait for further requests after the first. Without it, clients that ask again as soon as they are answered
would alternate between a batch of one and a batch of all others, at a lower throughput."""

_UNLIKELY = -9999.0
"""OpenAI's log-probability of what is very unlikely; JSON has no minus infinity."""

log = logging.getLogger("preceptor.serving")

Reason = Literal["stop", "length"]


@dataclass(frozen=True, slots=True)
class Token:
    """A generated token. logprob, in nats, and top, the likeliest tokens with theirs, only if requested."""

    id: int
    logprob: float | None = None
    top: Sequence[tuple[int, float]] = ()


@dataclass(frozen=True, slots=True)
class Label:
    """The whole text of an answer that a head gave, in place of tokens."""

    text: str = field(repr=False)


@dataclass(slots=True, eq=False)
class Job:
    """One request.

    events: the stream of its tokens or its label, filled by the worker thread, then OpenAI's `finish_reason`, or None
    after an internal error. logprobs: how many of the likeliest tokens to tell with each token's log-probability; None:
    not even that. by_scores: whether its label is scored. scores: how probable each label then is, told before the
    first token.
    """

    max_new_tokens: int
    logprobs: int | None
    loop: asyncio.AbstractEventLoop = field(repr=False)
    prompt: list[int] = field(default_factory=list, repr=False)
    events: asyncio.Queue[Token | Label | Reason | None] = field(default_factory=asyncio.Queue, repr=False)
    by_scores: bool = False
    scores: Mapping[str, float] | None = field(default=None, repr=False)
    tokens: int = 0
    finished: bool = False
    """The answer is complete, or the client has disconnected."""

    def add_token(self, token: Token, stop: frozenset[int]) -> None:
        """Append a token to the stream; called in the worker thread."""
        if self.finished:
            return
        if token.id in stop:
            self.finish("stop")
            return
        self.tokens += 1
        self._emit(token)
        if self.tokens == self.max_new_tokens:
            self.finish("length")

    def add_label(self, text: str) -> None:
        """Give the whole answer, in no tokens; called in the worker thread."""
        if not self.finished:
            self._emit(Label(text))

    def finish(self, reason: Reason | None) -> None:
        """Close the stream; called in the worker thread."""
        if not self.finished:
            self.finished = True
            self._emit(reason)

    def _emit(self, event: Token | Label | Reason | None) -> None:
        with suppress(RuntimeError):  # the loop is closed: the server is shutting down
            self.loop.call_soon_threadsafe(self.events.put_nowait, event)


class BatchQueue:
    """The request queue of one policy; at most `capacity` wait. Everything but `_answer` runs on the event loop.

    score_labels: for an arm whose labels the study scored, or a head gave; writes: whether it can write as well.
    """

    def __init__(
        self,
        policy: Policy,
        *,
        max_new_tokens: int,
        threads: int,
        capacity: int,
        counts: Counts,
        score_labels: ScoreLabels | None = None,
        writes: bool = True,
    ) -> None:
        self._policy, self._score_labels, self._writes = policy, score_labels, writes
        self._stop = stop_tokens(policy.tokenizer) if writes else frozenset[int]()
        self.max_new_tokens, self.threads, self.capacity, self.counts = max_new_tokens, threads, capacity, counts
        self._reserved: set[Job] = set()  # being tokenised or waiting
        self._waiting: deque[Job] = deque()
        self._batch: list[Job] = []
        self._last_batch_seconds = 1.0
        self._arrived = asyncio.Event()

    def uncounted(self, *, capacity: int) -> "BatchQueue":
        """Another queue of the same policy with its own counts. Only one of them may be open at a time."""
        return BatchQueue(
            self._policy,
            max_new_tokens=self.max_new_tokens,
            threads=self.threads,
            capacity=capacity,
            counts=Counts(),
            score_labels=self._score_labels,
            writes=self._writes,
        )

    @property
    def waiting(self) -> int:
        """Requests that are waiting or being tokenised."""
        return len(self._reserved)

    @property
    def answering(self) -> int:
        """Unfinished requests of the current batch."""
        return sum(not job.finished for job in self._batch)

    def reserve(self, max_new_tokens: int, logprobs: int | None = None) -> Job:
        """Reserve capacity before the prompt is tokenised. Raises `RefusedError` (429) when the queue is full."""
        if len(self._reserved) >= self.capacity:
            seconds = math.ceil(self._last_batch_seconds * (1 + len(self._reserved) // MAX_BATCH_SIZE))
            message = f"{self.capacity} requests wait already; ask again in {seconds} s"
            raise RefusedError(HTTPStatus.TOO_MANY_REQUESTS, message, code="queue_full", retry=seconds)
        job = Job(min(max_new_tokens, self.max_new_tokens), logprobs, asyncio.get_running_loop())
        self._reserved.add(job)
        return job

    def enqueue(self, job: Job, prompt: list[int], *, of_task: bool = False) -> None:
        """Append a tokenised request to the queue; `of_task`: its prompt is the task's own."""
        job.prompt, job.by_scores = prompt, of_task and self._score_labels is not None
        self._waiting.append(job)
        self._arrived.set()

    def cancel(self, job: Job) -> None:
        """Cancel a request, whether it is reserved, waiting or running; no effect once it is finished."""
        job.finished = True
        self._reserved.discard(job)
        with suppress(ValueError):
            self._waiting.remove(job)

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Run the worker during the block. On exit every unfinished request ends with an error."""
        worker = ThreadPoolExecutor(1, "generation", torch.set_num_threads, (self.threads,))
        with float32_head(self._policy.model), worker as thread:
            batches = asyncio.create_task(self._run_batches(thread))
            try:
                yield
            finally:
                batches.cancel()
                for job in [*self._batch, *self._waiting]:
                    job.finish(None)  # generation stops at the next token

    async def _run_batches(self, thread: ThreadPoolExecutor) -> None:
        while True:
            await self._arrived.wait()
            await asyncio.sleep(_BATCH_WINDOW)
            self._batch = [self._waiting.popleft() for _ in range(min(MAX_BATCH_SIZE, len(self._waiting)))]
            self._reserved.difference_update(self._batch)
            if not self._waiting:
                self._arrived.clear()
            if self._batch:
                await asyncio.get_running_loop().run_in_executor(thread, self._answer, self._batch)
                self._batch = []

    def _answer(self, batch: Sequence[Job]) -> None:
        """Answer a batch; runs in the worker thread."""
        try:
            cost = self._score([job for job in batch if job.by_scores and not job.finished])
            cost += self._generate([job for job in batch if not (job.by_scores or job.finished)])
        except Exception as error:
            log.error("fault: %s", kind_and_place(error))
            for job in batch:
                job.finish(None)
        else:
            self._last_batch_seconds = cost.seconds
            self.counts.batches += 1
            self.counts.batch_seconds += cost.seconds
            self.counts.prompt_tokens += sum(len(job.prompt) for job in batch)
            self.counts.answer_tokens += sum(job.tokens for job in batch)

    def _score(self, batch: Sequence[Job]) -> Cost:
        """Score the labels of these requests, and give each its own."""
        if not batch or self._score_labels is None:
            return Cost()
        found = self._score_labels([job.prompt for job in batch], lambda i: batch[i].finished)
        for job, text, scores in zip(batch, found.texts, found.probabilities, strict=True):
            job.scores = scores
            if self._writes:
                for token in encode_answer(self._policy.tokenizer, text)[:-1]:
                    job.add_token(Token(token), self._stop)
            else:
                job.add_label(text)
            job.finish("stop")
        return found.cost

    def _generate(self, batch: Sequence[Job]) -> Cost:
        """Write the answers to these requests, token by token."""
        if not batch:
            return Cost()

        def on_token(indices: list[int], tokens: list[int], logits: Tensor) -> list[int]:
            wanted = [batch[i].logprobs for i in indices]
            for i, token in zip(indices, _with_logprobs(tokens, logits, wanted), strict=True):
                batch[i].add_token(token, self._stop)
            return [i for i in indices if batch[i].finished]

        return generate(
            self._policy,
            [job.prompt for job in batch],
            max_new_tokens=max(job.max_new_tokens for job in batch),
            stop=self._stop,
            rows=MAX_BATCH_SIZE,
            on_batch=lambda *_: None,
            on_token=on_token,
        )


def _with_logprobs(tokens: list[int], logits: Tensor, wanted: Sequence[int | None]) -> list[Token]:
    """Each row's token with what its request wants to know. logits: [rows, vocab_size]."""
    if all(count is None for count in wanted):
        return [Token(token) for token in tokens]
    logprobs = logits.float().log_softmax(-1).clamp(min=_UNLIKELY)
    own = logprobs.gather(-1, torch.tensor(tokens, device=logits.device)[:, None])[:, 0].tolist()
    values, ids = logprobs.topk(min(max(count or 0 for count in wanted), logprobs.shape[-1]))
    top = [list(zip(*pair, strict=True)) for pair in zip(ids.tolist(), values.tolist(), strict=True)]
    rows = zip(tokens, own, top, wanted, strict=True)
    return [Token(token) if count is None else Token(token, one, best[:count]) for token, one, best, count in rows]


async def stream_tokens(job: Job) -> AsyncIterator[Token | Label | Reason]:
    """The tokens of an answer as they are generated, or a head's label, then its end.

    Raises `RefusedError` after an internal error.
    """
    event: Token | Label | Reason | None = None
    while event is None or isinstance(event, Token | Label):
        event = await job.events.get()
        if event is None:
            raise fault()
        yield event
