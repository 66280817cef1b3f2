"""Held-out cases asked again, of a server: whether it serves the model that was measured."""

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
from preceptor.errors import InputError, Problem, invalid_entries
from preceptor.progress import progress
from preceptor.ship._other_arms import telling_first
from preceptor.ship._parity import Parity, explained
from preceptor.study import ArmOfRun, Prepared, held_out
from preceptor.tasks import Example

_SETTING = "ENDPOINT"
"""How messages name the server."""
_AT_ONCE = 8
"""Requests at a time, which a server that batches answers together."""


def find_endpoint(url: str, *, model: str | None, allow_host: str | None, token: str | None) -> ChatServer:
    """The server at `url`, with the model that is to be asked: `model`, or the only one it lists.

    Raises `InputError` when it is not there, not allowed, or what to ask is not clear.
    """
    try:
        server = ChatServer(url=url, model=model or "any", allow_host=allow_host)
    except ValidationError as error:
        what = "; ".join(what for _, what, _ in invalid_entries(error, "setting"))
        raise InputError(Problem(f"{_SETTING} {url}", what, "allow_host is --allow-host here.")) from None
    with open_client(server, token) as client:
        listed = listed_models(client, server, _SETTING)
    if model is None and len(listed) == 1:
        return server.model_copy(update={"model": listed[0]})
    if model is None:
        what = f"it serves {len(listed)} models" if listed else "it does not say which models it serves"
        raise InputError(Problem(f"{_SETTING} {url}", what, f"Name one with --model{_one_of(listed)}."))
    if listed and model not in listed:
        raise InputError(Problem(f"{_SETTING} {url}", f"it knows no model {model}", f"Set --model{_one_of(listed)}."))
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
    """Ask the server the arm's held-out cases again, at most `limit`, and compare.

    Raises `InputError`, also when an answer is not whole after so many `seconds`.
    """
    prepared = held_out(arm)
    chosen = telling_first(arm, len(prepared.test), limit or len(prepared.test))
    replies = _ask(server, prepared, [prepared.shown[i] for i in chosen], console, token, seconds)
    return explained(arm, prepared, chosen, replies, console)


def _ask(
    server: ChatServer,
    prepared: Prepared,
    cases: Sequence[Example],
    console: Console,
    token: str | None,
    seconds: float,
) -> list[Reply]:
    task = prepared.task
    limits: Any = {"max_tokens": task.answer.max_new_tokens, "seconds": seconds}

    def ask(client: httpx2.Client, case: Example, *, logprobs: bool) -> Reply:
        messages: Any = task.messages(case)
        return ask_in_full(client, server, messages, setting=_SETTING, case=case.id, logprobs=logprobs, **limits)

    with open_client(server, token) as client, progress("Held-out cases asked", len(cases), console) as advance:
        try:  # a server that cannot tell log-probabilities leaves them out, or refuses
            told = ask(client, cases[0], logprobs=True).logprobs is not None
        except TooSlowError:
            raise
        except InputError:
            told = False

        def ask_one(case: Example) -> Reply:
            reply = ask(client, case, logprobs=told)
            advance()
            return reply

        return _several_at_a_time(ask_one, cases)


def _several_at_a_time(ask: Callable[[Example], Reply], cases: Sequence[Example]) -> list[Reply]:
    """What `ask` returns for each case. When one fails, or the command is interrupted, no other is waited for."""
    replies: list[Future[Reply]] = [Future() for _ in cases]
    waiting = deque(zip(replies, cases, strict=True))

    def work() -> None:
        while True:
            try:
                reply, case = waiting.popleft()
            except IndexError:
                return
            try:
                reply.set_result(ask(case))
            except BaseException as error:
                reply.set_exception(error)

    for _ in range(_AT_ONCE):
        threading.Thread(target=work, daemon=True).start()  # those of an executor would keep the process from ending
    try:
        return [one.result() for one in replies]
    finally:
        waiting.clear()


def _one_of(names: Sequence[str]) -> str:
    return f" to one of {', '.join(names[:10])}" if names else ""
