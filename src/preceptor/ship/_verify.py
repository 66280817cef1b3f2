"""`verify`: replay held-out cases against a server to check that it serves the measured model."""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Any

import httpx2
from pydantic import ValidationError
from rich.console import Console

from preceptor.chat_server import (
    LONGEST_ANSWER,
    ChatServer,
    Reply,
    TooSlowError,
    ask_in_full,
    listed_models,
    open_client,
)
from preceptor.errors import InputError, Problem
from preceptor.progress import progress
from preceptor.ship._other_arms import discriminating_first
from preceptor.ship._parity import Parity, diagnose
from preceptor.study import ArmOfRun, Prepared, held_out
from preceptor.tasks import Example

_SETTING = "ENDPOINT"
"""The setting named in error messages."""
_CONCURRENT_REQUESTS = 8
"""Concurrent requests, for servers that batch."""


def find_endpoint(url: str, *, model: str | None, allow_host: str | None, token: str | None) -> ChatServer:
    """The server at `url` with the model to use: `model`, or the only one it lists.

    Raises `InputError` when it is unreachable, its host is not allowed, or the model is ambiguous.
    """
    try:
        server = ChatServer(url=url, model=model or "any", allow_host=allow_host)
    except ValidationError as error:
        what = "; ".join(str(one["msg"]).removeprefix("Value error, ") for one in error.errors())
        raise InputError(Problem(f"{_SETTING} {url}", what, "allow_host is --allow-host here.")) from None
    with open_client(server, token) as client:
        listed = listed_models(client, server, _SETTING)
    if model is None and len(listed) == 1:
        return server.model_copy(update={"model": listed[0]})
    if model is None:
        what = f"it serves {len(listed)} models" if listed else "it does not say which models it serves"
        raise InputError(Problem(f"{_SETTING} {url}", what, f"Name one with --model{_choices(listed)}."))
    if listed and model not in listed:
        raise InputError(Problem(f"{_SETTING} {url}", f"it knows no model {model}", f"Set --model{_choices(listed)}."))
    return server


def verify(
    server: ChatServer,
    arm: ArmOfRun,
    console: Console,
    *,
    limit: int | None = None,
    token: str | None = None,
    seconds: float = LONGEST_ANSWER,
) -> Parity:
    """Replay at most `limit` of the arm's held-out cases against the server and compare the answers.

    Raises `InputError`, also when an answer takes longer than `seconds`.
    """
    prepared = held_out(arm)
    chosen = discriminating_first(arm, len(prepared.test), limit or len(prepared.test))
    replies = _replay(server, prepared, [prepared.shown[i] for i in chosen], console, token, seconds)
    return diagnose(arm, prepared, chosen, replies, console)


def _replay(
    server: ChatServer,
    prepared: Prepared,
    cases: Sequence[Example],
    console: Console,
    token: str | None,
    seconds: float,
) -> list[Reply]:
    task = prepared.task
    limits: Any = {"max_tokens": task.answer.max_new_tokens, "seconds": seconds}

    def send(client: httpx2.Client, case: Example, *, logprobs: bool) -> Reply:
        messages: Any = task.messages(case)
        return ask_in_full(client, server, messages, setting=_SETTING, case=case.id, logprobs=logprobs, **limits)

    with open_client(server, token) as client, progress("Held-out cases asked", len(cases), console) as advance:
        try:  # servers without log-probabilities omit them or reject the request
            has_logprobs = send(client, cases[0], logprobs=True).logprobs is not None
        except TooSlowError:
            raise
        except InputError:
            has_logprobs = False

        def send_one(case: Example) -> Reply:
            reply = send(client, case, logprobs=has_logprobs)
            advance()
            return reply

        return _concurrently(send_one, cases)


def _concurrently(send: Callable[[Example], Reply], cases: Sequence[Example]) -> list[Reply]:
    """The results of `send`, in order. On the first failure or an interrupt the others are abandoned."""
    replies: list[Future[Reply]] = [Future() for _ in cases]
    pending = deque(zip(replies, cases, strict=True))

    def worker() -> None:
        while True:
            try:
                reply, case = pending.popleft()
            except IndexError:
                return
            try:
                reply.set_result(send(case))
            except BaseException as error:
                reply.set_exception(error)

    for _ in range(_CONCURRENT_REQUESTS):
        threading.Thread(target=worker, daemon=True).start()  # an executor would block process exit
    try:
        return [one.result() for one in replies]
    finally:
        pending.clear()


def _choices(names: Sequence[str]) -> str:
    return f" to one of {', '.join(names[:10])}" if names else ""
