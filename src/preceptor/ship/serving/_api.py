"""The HTTP API: chat completions and model list of one model, health and metrics."""

import asyncio
import time
from collections.abc import AsyncIterator, Collection
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from starlette.background import BackgroundTask
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse

from preceptor.ship.serving._chat_request import ChatRequest, read_request
from preceptor.ship.serving._completion import DONE, Completion, sse
from preceptor.ship.serving._guard import CHAT, LEFT, Guard, refusal
from preceptor.ship.serving._prompt_reader import Reader
from preceptor.ship.serving._queue import BatchQueue, Job, Label, Token, stream_tokens
from preceptor.ship.serving._refused import RefusedError, fault
from preceptor.ship.serving._shown import Part, ShownAnswer


@dataclass(frozen=True, slots=True)
class Served:
    """A model and the name in its API. The tokenizer decodes answers; the reader has its own to encode prompts."""

    name: str
    reader: Reader
    queue: BatchQueue
    tokenizer: Any = field(repr=False)
    created: int = field(default_factory=lambda: int(time.time()))

    def as_listed(self) -> dict[str, Any]:
        """The model as OpenAI's API lists it."""
        return {"id": self.name, "object": "model", "created": self.created, "owned_by": "preceptor"}

    def check_model(self, name: str | None) -> None:
        """Raises `RefusedError` (404) when a request names another model."""
        if name is not None and name != self.name:
            message = f"there is no such model here; the one that is served is `{self.name}`"
            raise RefusedError(HTTPStatus.NOT_FOUND, message, param="model", code="model_not_found")


def create_app(served: Served, *, hosts: Collection[str], token: str | None, body_seconds: float) -> Guard:
    """The ASGI application behind its guard. `hosts` are the accepted `Host` headers, as `name:port`."""
    queue, reading = served.queue, ThreadPoolExecutor(1, "reading")

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        with reading:
            async with queue.open():
                yield

    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False, lifespan=lifespan)

    @app.post(CHAT)
    async def chat(request: Request) -> Response:
        request_body = read_request(await request.body())
        served.check_model(request_body.model)
        job = queue.reserve(request_body.answer_limit(queue.max_new_tokens), request_body.logprobs_per_token)
        try:
            prompt = await asyncio.get_running_loop().run_in_executor(reading, served.reader.read, request_body)
            queue.enqueue(job, prompt.ids, of_task=prompt.of_task)
            logprobs = request_body.logprobs and not job.by_scores  # a scored label was not chosen token by token
            completion = Completion(served.name, served.reader.task, served.tokenizer, prompt, logprobs)
            if request_body.stream:
                return _streamed(served, request_body, completion, job)
            return JSONResponse(await _until_disconnect(request, _complete(request_body, completion, job)))
        except BaseException:
            queue.cancel(job)
            raise

    @app.get("/v1/models")
    async def models() -> Response:
        return JSONResponse({"object": "list", "data": [served.as_listed()]})

    @app.get("/v1/models/{name:path}")
    async def model(name: str) -> Response:
        served.check_model(name)
        return JSONResponse(served.as_listed())

    @app.get("/health")
    async def health() -> Response:
        return JSONResponse({"status": "ok"})

    @app.get("/metrics")
    async def metrics() -> Response:
        text = queue.counts.text(queue.waiting, queue.answering, queue.capacity)
        return PlainTextResponse(text, media_type="text/plain; version=0.0.4")

    _add_refusals(app)
    return Guard(app, hosts, token, queue.counts, body_seconds=body_seconds)


async def _parts(answer: ShownAnswer, job: Job) -> AsyncIterator[Part]:
    async for event in stream_tokens(job):
        yield answer.add(event) if isinstance(event, Token | Label) else answer.end(event)


async def _complete(request_body: ChatRequest, completion: Completion, job: Job) -> dict[str, Any]:
    answer = ShownAnswer(completion.tokenizer, request_body.stop)
    parts = [part async for part in _parts(answer, job)]
    return completion.complete(Part.joined(parts), answer.ending(job.scores))


async def _until_disconnect(request: Request, answer: Any) -> Any:
    """The result of `answer`. Raises `ClientDisconnect` when the client disconnects first."""

    async def disconnect() -> None:
        while (await request.receive())["type"] != "http.disconnect":
            pass

    tasks = [asyncio.ensure_future(answer), asyncio.ensure_future(disconnect())]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        if not tasks[0].done():
            raise ClientDisconnect
        return tasks[0].result()
    finally:
        for task in tasks:
            task.cancel()


def _streamed(served: Served, request_body: ChatRequest, completion: Completion, job: Job) -> Response:
    return StreamingResponse(
        _events(request_body, completion, job),
        media_type="text/event-stream",
        headers={"x-accel-buffering": "no"},  # nginx would buffer the chunks
        background=BackgroundTask(served.queue.cancel, job),  # also when the client disconnects before the first chunk
    )


async def _events(request_body: ChatRequest, completion: Completion, job: Job) -> AsyncIterator[bytes]:
    answer = ShownAnswer(completion.tokenizer, request_body.stop)
    yield completion.first()
    try:
        async for part in _parts(answer, job):
            if chunk := completion.next(part):
                yield chunk
    except RefusedError as error:  # the status line has been sent already
        yield sse(error.body)
        return
    ending = answer.ending(job.scores)
    yield completion.last(ending)
    if request_body.stream_options.include_usage:
        yield completion.usage(ending.tokens)
    yield DONE


def _add_refusals(app: FastAPI) -> None:
    def rejected(_: Request, error: Exception) -> Response:
        assert isinstance(error, RefusedError)
        return refusal(error)

    def not_found(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        known = f"POST {CHAT}, GET /v1/models, GET /health, GET /metrics"
        message = f"there is nothing at this address with this method; there are {known}"
        return refusal(RefusedError(HTTPStatus(error.status_code), message, code="unknown_url"))

    def disconnected(_: Request, __: Exception) -> Response:
        return Response(status_code=LEFT)  # not read by anyone, but counted

    def failed(_: Request, __: Exception) -> Response:
        return refusal(fault())  # the guard logs it

    app.add_exception_handler(ClientDisconnect, disconnected)
    app.add_exception_handler(Exception, failed)
    app.add_exception_handler(RefusedError, rejected)
    app.add_exception_handler(HTTPException, not_found)
