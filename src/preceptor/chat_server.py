"""A server that speaks the interface of OpenAI's clients, asked one chat after another.

It is on this machine unless the study names another host. What went wrong is told without what was asked or answered.
"""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, Self
from urllib.parse import urlsplit

import httpx2
from pydantic import BaseModel, ConfigDict, Field, model_validator

from preceptor.errors import InputError, Problem
from preceptor.server_url import THIS_MACHINE, check_url

_SECONDS = httpx2.Timeout(600.0, connect=10.0)
"""A large model on a processor may write for minutes; a server that is there takes the call at once."""
LONGEST_ANSWER = 1800.0
"""Seconds until an answer must be whole. The limits above are those of each piece, which a byte now and then keeps."""
_LONGEST_LIST = 60.0
"""Seconds until the list of models must be whole."""
_PAUSES = (1.0, 4.0, 16.0)
"""Seconds before each further try."""
_BUSY = frozenset({408, 429, 500, 502, 503, 504})
_AGAIN = "Look at the server's own log, mend it, and run the same command again: it goes on from here."
_UNKNOWN_TOKEN = 401
_ELSEWHERE = range(300, 400)


class TooSlowError(InputError):
    """An answer did not become whole in time; asking again would take as long."""


class ChatServer(BaseModel):
    """Where a server is asked, and for which model: on this machine, unless `allow_host` names another."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: str
    """Of the interface that OpenAI's clients speak, such as http://127.0.0.1:8080/v1."""
    model: str = Field(min_length=1)
    allow_host: str | None = None

    @model_validator(mode="after")
    def _nothing_leaves_unless_allowed(self) -> Self:
        check_url(self.url, self.allow_host, example="http://127.0.0.1:8080/v1", sent="case text")
        return self

    @property
    def is_here(self) -> bool:
        """Whether it is asked on this machine, so that no other machine can ask it."""
        return urlsplit(self.url).hostname in THIS_MACHINE


@dataclass(frozen=True, slots=True)
class Reply:
    """What a server says to one chat, as far as it tells.

    prompt_tokens: of the chat as its template puts it. logprobs: each token of the text with its log-probability, nats.
    """

    text: str = field(repr=False)
    prompt_tokens: int | None = None
    logprobs: tuple[tuple[str, float], ...] | None = field(default=None, repr=False)


def find_server(server: ChatServer, setting: str) -> list[Problem]:
    """What stands in the way of asking: nobody there, or no such model. `setting` is the name the study gives it."""
    try:
        with open_client(server) as client:
            names = listed_models(client, server, setting)
    except InputError as error:
        return error.problems
    if names and server.model not in names:
        fix = f"Set `{setting}.model` to one of {', '.join(names[:10])}."
        return [Problem(f"{setting} {server.url}", f"the server knows no model {server.model}", fix)]
    return []


def listed_models(client: httpx2.Client, server: ChatServer, setting: str) -> list[str]:
    """The models the server lists; none when it does not list any.

    Raises `InputError` when nobody answers, or who does wants a token or leads elsewhere.
    """
    try:
        reply = _within(_LONGEST_LIST, lambda: client.get("models", timeout=10.0))
    except (httpx2.HTTPError, TimeoutError) as error:
        fix = f"Start it, or put `{setting}.url` right."
        raise InputError(Problem(f"{setting} {server.url}", f"no server answers ({_kind(error)})", fix)) from None
    if reply.status_code == _UNKNOWN_TOKEN or reply.status_code in _ELSEWHERE:
        what = f"it does not say which models it serves (status {reply.status_code})"
        raise InputError(Problem(f"{setting} {server.url}", what, _remedy(reply)))
    return _model_names(reply)


def open_client(server: ChatServer, token: str | None = None) -> httpx2.Client:
    """A client that asks this server and no other. `token`: what the server wants to be brought."""
    # trust_env: a proxy named in the environment is another machine. Redirects could lead to one, too.
    return httpx2.Client(
        base_url=server.url.rstrip("/") + "/",
        timeout=_SECONDS,
        trust_env=False,
        follow_redirects=False,
        headers={"authorization": f"Bearer {token}"} if token else {},
    )


def ask(
    client: httpx2.Client,
    server: ChatServer,
    messages: Sequence[Mapping[str, Any]],
    *,
    max_tokens: int,
    setting: str,
    case: str,
) -> str:
    """What the model says at temperature 0; "" when it says nothing. A busy server is asked again.

    Raises `InputError` that names `case` and not a word of it.
    """
    return ask_in_full(client, server, messages, max_tokens=max_tokens, setting=setting, case=case).text


def ask_in_full(
    client: httpx2.Client,
    server: ChatServer,
    messages: Sequence[Mapping[str, Any]],
    *,
    max_tokens: int,
    setting: str,
    case: str,
    logprobs: bool = False,
    seconds: float = LONGEST_ANSWER,
) -> Reply:
    """As `ask`, with what else the server tells; log-probabilities only where they are asked for.

    Raises `TooSlowError` when the answer is not whole after so many `seconds`.
    """
    request = {"model": server.model, "messages": messages, "temperature": 0, "max_tokens": max_tokens}
    request |= {"logprobs": True} if logprobs else {}
    where, failure, fix = f"{setting} {server.url}", "", _AGAIN
    for pause in (0.0, *_PAUSES):
        time.sleep(pause)
        try:
            reply = _within(seconds, lambda: client.post("chat/completions", json=request))
        except TimeoutError:
            what = f"the answer to case {case} was not whole after {seconds:g} seconds"
            raise TooSlowError(Problem(where, what, f"Ask a server that answers sooner. {_AGAIN}")) from None
        except httpx2.HTTPError as error:
            failure = _kind(error)
            continue
        if reply.status_code == 200:
            return _read(reply, where, case)
        failure, fix = f"status {reply.status_code}", _remedy(reply)
        if reply.status_code not in _BUSY:
            break
    raise InputError(Problem(where, f"case {case} could not be asked ({failure})", fix)) from None


def _within(seconds: float, send: Callable[[], httpx2.Response]) -> httpx2.Response:
    """What `send` returns or raises; TimeoutError when it takes longer, and is left behind in a thread of its own.

    The client's own limits begin anew with each byte, also with those of the status and headers.
    """
    outcome: Future[httpx2.Response] = Future()

    def work() -> None:
        try:
            outcome.set_result(send())
        except BaseException as error:
            outcome.set_exception(error)

    threading.Thread(target=work, daemon=True).start()  # the process may end without it
    return outcome.result(seconds)


def _remedy(reply: httpx2.Response) -> str:
    """What to do about a status."""
    if reply.status_code == _UNKNOWN_TOKEN:
        return "It wants another token than it was sent: `preceptor verify --token-file` takes one, a study sends none."
    if reply.status_code in _ELSEWHERE:
        where = reply.headers.get("location", "another address")[:200]
        return f"It leads on to {where}, which may be another machine and is not followed: give the address itself."
    return _AGAIN


def _read(reply: httpx2.Response, where: str, case: str) -> Reply:
    """The answer; a model that says nothing has said nothing, which is no label."""
    try:
        body = reply.json()
        choice = body["choices"][0]
        content = choice["message"]["content"]
        text = "" if content is None else _only_text(content)
    except (ValueError, KeyError, IndexError, TypeError, RecursionError):
        what = f"what came back for case {case} is no chat completion"
        fix = "Give the address of an OpenAI-compatible interface, which mostly ends in /v1."
        raise InputError(Problem(where, what, fix)) from None
    return Reply(text, _prompt_tokens(body), _logprobs(choice))


def _prompt_tokens(body: Mapping[str, Any]) -> int | None:
    try:
        count = body["usage"]["prompt_tokens"]
    except (KeyError, TypeError):
        return None
    return count if isinstance(count, int) and count > 0 else None


def _logprobs(choice: Mapping[str, Any]) -> tuple[tuple[str, float], ...] | None:
    try:
        return tuple((_only_text(one["token"]), float(one["logprob"])) for one in choice["logprobs"]["content"])
    except (KeyError, TypeError, ValueError, OverflowError):
        return None


def _only_text(content: Any) -> str:
    if not isinstance(content, str):
        raise TypeError("text was expected")
    return content


def _model_names(reply: httpx2.Response) -> list[str]:
    """The models the server lists; none when it does not list any."""
    try:
        return [str(one["id"]) for one in reply.json()["data"]] if reply.status_code == 200 else []
    except (ValueError, KeyError, TypeError, RecursionError):
        return []


def _kind(error: httpx2.HTTPError | TimeoutError) -> str:
    """What kind of failure it was; its own words might repeat what was sent."""
    match error:
        case httpx2.TimeoutException() | TimeoutError():
            return "it took too long"
        case httpx2.ConnectError():
            return "the connection was refused"
        case _:
            return "the connection broke off"
