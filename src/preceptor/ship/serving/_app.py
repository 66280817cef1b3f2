"""The interface: chat completions of one model, the list of models (of one), health and metrics."""

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

from preceptor.ship.serving._completion import DONE, Growing, Reply, event
from preceptor.ship.serving._desk import Desk, Job, Reason, Token, tokens_of
from preceptor.ship.serving._guard import CHAT, LEFT, Guard, refusal
from preceptor.ship.serving._reader import Reader
from preceptor.ship.serving._refused import RefusedError, fault
from preceptor.ship.serving._request import ChatRequest, read_request


@dataclass(frozen=True, slots=True)
class Served:
    """A model under the name that clients ask for. The tokenizer writes answers; the reader has one of its own."""

    name: str
    reader: Reader
    desk: Desk
    tokenizer: Any = field(repr=False)
    created: int = field(default_factory=lambda: int(time.time()))

    def listed(self) -> dict[str, Any]:
        """The model as OpenAI's API lists it."""
        return {"id": self.name, "object": "model", "created": self.created, "owned_by": "preceptor"}

    def refuse_another(self, name: str | None) -> None:
        """Raises `RefusedError` when a request is for another model."""
        if name is not None and name != self.name:
            message = f"there is no such model here; the one that is served is `{self.name}`"
            raise RefusedError(HTTPStatus.NOT_FOUND, message, param="model", code="model_not_found")


def create_app(served: Served, *, hosts: Collection[str], token: str | None, body_seconds: float) -> Guard:
    """The application, guarded. `hosts` are the `name:port` it answers to."""
    desk, reading = served.desk, ThreadPoolExecutor(1, "reading")

    @asynccontextmanager
    async def at_work(_: FastAPI) -> AsyncIterator[None]:
        with reading:
            async with desk.open():
                yield

    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False, lifespan=at_work)

    @app.post(CHAT)
    async def chat(request: Request) -> Response:
        asked = read_request(await request.body())
        served.refuse_another(asked.model)
        job = desk.take_place(asked.room(desk.max_new_tokens), logprobs=asked.logprobs)
        try:
            prompt = await asyncio.get_running_loop().run_in_executor(reading, served.reader.read, asked)
            reply = Reply(served.name, served.reader.task, served.tokenizer, prompt, asked.logprobs)
            desk.wait(job, prompt.ids)
            if asked.stream:
                return _streamed(served, asked, reply, job)
            return JSONResponse(await _unless_gone(request, _whole(served, reply, job)))
        except BaseException:
            desk.leave(job)
            raise

    @app.get("/v1/models")
    async def models() -> Response:
        return JSONResponse({"object": "list", "data": [served.listed()]})

    @app.get("/v1/models/{name:path}")
    async def model(name: str) -> Response:
        served.refuse_another(name)
        return JSONResponse(served.listed())

    @app.get("/health")
    async def health() -> Response:
        return JSONResponse({"status": "ok"})

    @app.get("/metrics")
    async def metrics() -> Response:
        text = desk.counts.text(desk.waiting, desk.answering, desk.places)
        return PlainTextResponse(text, media_type="text/plain; version=0.0.4")

    _add_refusals(app)
    return Guard(app, hosts, token, desk.counts, body_seconds=body_seconds)


async def _whole(served: Served, reply: Reply, job: Job) -> dict[str, Any]:
    tokens: list[Token] = []
    reason: Reason | None = None
    async for told in tokens_of(job):
        if isinstance(told, Token):
            tokens.append(told)
        else:
            reason = told.reason
    text: str = served.tokenizer.decode([token.id for token in tokens], skip_special_tokens=True)
    assert reason is not None
    return reply.whole(tokens, text, reason)


async def _unless_gone(request: Request, work: Any) -> Any:
    """What `work` comes to. Raises `ClientDisconnect` when the client leaves before."""

    async def gone() -> None:
        while (await request.receive())["type"] != "http.disconnect":
            pass

    tasks = [asyncio.ensure_future(work), asyncio.ensure_future(gone())]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        if not tasks[0].done():
            raise ClientDisconnect
        return tasks[0].result()
    finally:
        for task in tasks:
            task.cancel()


def _streamed(served: Served, asked: ChatRequest, reply: Reply, job: Job) -> Response:
    return StreamingResponse(
        _events(served, asked, reply, job),
        media_type="text/event-stream",
        headers={"x-accel-buffering": "no"},  # else nginx would keep the pieces until there are many
        background=BackgroundTask(served.desk.leave, job),  # also when the client left before the first piece
    )


async def _events(served: Served, asked: ChatRequest, reply: Reply, job: Job) -> AsyncIterator[bytes]:
    growing = Growing(served.tokenizer)
    yield reply.first()
    try:
        async for told in tokens_of(job):
            if isinstance(told, Token):
                piece = growing.more(told.id)
                if piece or asked.logprobs:
                    yield reply.next([told], piece)
            else:
                if rest := growing.rest():
                    yield reply.next([], rest)
                assert told.reason is not None
                yield reply.last(growing.text, told.reason)
    except RefusedError as error:  # the status was sent long ago
        yield event(error.body)
        return
    if asked.stream_options.include_usage:
        yield reply.usage(len(growing.ids))
    yield DONE


def _add_refusals(app: FastAPI) -> None:
    def refused(_: Request, error: Exception) -> Response:
        assert isinstance(error, RefusedError)
        return refusal(error)

    def unknown(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        known = f"POST {CHAT}, GET /v1/models, GET /health, GET /metrics"
        message = f"there is nothing at this address with this method; there are {known}"
        return refusal(RefusedError(HTTPStatus(error.status_code), message, code="unknown_url"))

    def left(_: Request, __: Exception) -> Response:
        return Response(status_code=LEFT)  # nobody reads it, but it is counted

    def wrong(_: Request, __: Exception) -> Response:
        return refusal(fault())  # the guard logs it

    app.add_exception_handler(ClientDisconnect, left)
    app.add_exception_handler(Exception, wrong)
    app.add_exception_handler(RefusedError, refused)
    app.add_exception_handler(HTTPException, unknown)
