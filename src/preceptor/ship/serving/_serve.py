"""The server of one arm: its model loaded and asked again, then the interface, until the process is told to stop."""

import asyncio
import json
import shlex
from collections.abc import Callable, Sequence

from preceptor.models import load_policy, load_tokenizer
from preceptor.ship.serving._app import Served, create_app
from preceptor.ship.serving._counts import Counts
from preceptor.ship.serving._desk import Desk, Token, tokens_of
from preceptor.ship.serving._guard import CHAT
from preceptor.ship.serving._reader import Reader
from preceptor.ship.serving._request import ChatRequest
from preceptor.study import ArmOfRun
from preceptor.tasks import Example
from preceptor.web.door import Listener
from preceptor.web.server import Limits, http_server

PLACES = 64
"""Requests that may wait, unless another number is given: two batches."""


def load(arm: ArmOfRun, *, places: int = PLACES) -> Served:
    """The arm's model, ready to answer as it did in the study: same template, number format, threads and limits."""
    policy = load_policy(arm.source, arm.folder, dtype=arm.numerics.torch_dtype)
    entry = arm.study.tasks[arm.finished.tasks.index(arm.task.name)]
    # A tokenizer of its own: prompts are read in a thread beside the one that writes answers.
    reader = Reader(arm.task, load_tokenizer(arm.source), arm.study.max_length, entry.data.empty)
    desk = Desk(
        policy,
        max_new_tokens=arm.task.answer.max_new_tokens,
        threads=arm.numerics.threads,
        places=places,
        counts=Counts(),
    )
    return Served(f"{arm.study.name}/{arm.task.name}/{arm.arm}/seed-{arm.seed}", reader, desk, policy.tokenizer)


def answerer(served: Served) -> Callable[[Sequence[Example], Sequence[list[int]]], list[str]]:
    """Answers cases the way of a request, from chat turns on; what they are told of prompts is not needed."""

    def answer(examples: Sequence[Example], _: Sequence[list[int]]) -> list[str]:
        turns = [served.reader.task.messages(example) for example in examples]
        requests = [ChatRequest.model_validate_json(json.dumps({"messages": one})) for one in turns]
        return asyncio.run(_ask(served, requests))

    return answer


async def _ask(served: Served, requests: Sequence[ChatRequest]) -> list[str]:
    desk = served.desk.beside(places=len(requests))

    async def ask(request: ChatRequest) -> str:
        job = desk.take_place(desk.max_new_tokens, logprobs=False)
        desk.wait(job, served.reader.read(request).ids)
        ids = [told.id async for told in tokens_of(job) if isinstance(told, Token)]
        text: str = served.tokenizer.decode(ids, skip_special_tokens=True)
        return text

    async with desk.open():
        return await asyncio.gather(*map(ask, requests))


def curl_line(served: Served, listener: Listener, token: str | None) -> str:
    """A command that asks the server; `token` is what the shell is to put in place of it, None where none is asked."""
    fields = served.reader.task.fields
    what = {"fields": dict.fromkeys(fields, "...")} if fields else {"messages": [{"role": "user", "content": "..."}]}
    secret = [f'-H "Authorization: Bearer {token}"'] if token else []
    body = shlex.quote(json.dumps({"model": served.name, **what}))
    return " ".join(["curl", listener.url + CHAT, *secret, "-H 'Content-Type: application/json'", "-d", body])


def serve(served: Served, listener: Listener, *, token: str | None, ready: Callable[[], None]) -> None:
    """Answer requests until the process is told to stop (Ctrl-C); `ready` is called when they can come."""
    limits = Limits()
    with listener.socket:
        app = create_app(served, hosts=listener.hosts, token=token, body_seconds=limits.body_seconds)
        server = http_server(app, listener.tls, limits, lifespan=True)
        listener.socket.listen(server.config.backlog)  # who comes from now on waits instead of being turned away
        ready()
        server.run(sockets=[listener.socket])
