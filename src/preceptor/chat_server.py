"""A client for servers with OpenAI's chat completions API, one request at a time.

The server must be on this machine unless the study allows another host. Errors never quote a request or an answer.
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
"""A large model on a CPU may generate for minutes; a running server accepts connections at once."""
LONGEST_ANSWER = 1800.0
"""Total timeout of a request in seconds. The timeouts above apply to each read, so a slow stream never hits them."""
_LONGEST_LIST = 60.0
"""Total timeout of listing the models, in seconds."""
_PAUSES = (1.0, 4.0, 16.0)
"""Backoff: seconds before each retry."""
_BUSY = frozenset({408, 429, 500, 502, 503, 504})
_AGAIN = "Look at the server's own log, mend it, and run the same command again: it goes on from here."
_UNKNOWN_TOKEN = 401
_ELSEWHERE = range(300, 400)


class TooSlowError(InputError):
    """A request exceeded its total timeout; a retry would take as long."""


class ChatServer(BaseModel):
    """A server's address and model; on this machine, unless `allow_host` names its host."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: str
    """The base URL of the API, such as http://127.0.0.1:8080/v1."""
    model: str = Field(min_length=1)
    allow_host: str | None = None

    @model_validator(mode="after")
    def _nothing_leaves_unless_allowed(self) -> Self:
        check_url(self.url, self.allow_host, example="http://127.0.0.1:8080/v1", sent="case text")
        return self

    @property
    def is_here(self) -> bool:
        """Whether the server is on this machine."""
        return urlsplit(self.url).hostname in THIS_MACHINE


@dataclass(frozen=True, slots=True)
class Reply:
    """A response to one chat request.

    prompt_tokens: after the chat template; logprobs: tokens with log-probabilities in nats; scores: how probable each
    label is, as `preceptor serve` says it of a label that was scored; None where not reported.
    """

    text: str = field(repr=False)
    prompt_tokens: int | None = None
    logprobs: tuple[tuple[str, float], ...] | None = field(default=None, repr=False)
    scores: Mapping[str, float] | None = field(default=None, repr=False)


def find_server(server: ChatServer, setting: str) -> list[Problem]:
    """Why the server cannot be used: unreachable, or no such model. `setting` names it in messages."""
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
    """The models the server lists; empty when it lists none.

    Raises `InputError` when it is unreachable, requires authentication or redirects.
    """
    try:
        reply = _within(_LONGEST_LIST, lambda: client.get("models", timeout=10.0))
    except (httpx2.HTTPError, TimeoutError) as error:
        fix = f"Start it, or put `{setting}.url` right."
        raise InputError(Problem(f"{setting} {server.url}", f"no server answers ({_kind(error)})", fix)) from None
    if reply.status_code == _UNKNOWN_TOKEN or reply.status_code in _ELSEWHERE:
        what = f"it does not say which models it serves (status {reply.status_code})"
        raise InputError(Problem(f"{setting} {server.url}", what, _remedy(reply)))
    try:
        return [str(one["id"]) for one in reply.json()["data"]] if reply.status_code == 200 else []
    except (ValueError, KeyError, TypeError, RecursionError):
        return []


def open_client(server: ChatServer, token: str | None = None) -> httpx2.Client:
    """An HTTP client for this server only. `token`: its bearer token."""
    # trust_env: a proxy from the environment is another machine. So may be the target of a redirect.
    return httpx2.Client(
        base_url=server.url.rstrip("/") + "/",
        timeout=_SECONDS,
        trust_env=False,
        follow_redirects=False,
        headers={"authorization": f"Bearer {token}"} if token else {},
    )


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
    """The model's answer at temperature 0, maybe "", with prompt length and, if `logprobs`, log-probabilities.

    Retries while the server is busy. Raises `TooSlowError` when the response takes longer than `seconds`, `InputError`
    for any other failure; it names the id `case` and quotes no text.
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
    """The result of `send`, run in a thread; TimeoutError, abandoning the thread, when it takes longer.

    The client's own timeouts restart with each byte received, also of the headers.
    """
    outcome: Future[httpx2.Response] = Future()

    def work() -> None:
        try:
            outcome.set_result(send())
        except BaseException as error:
            outcome.set_exception(error)

    threading.Thread(target=work, daemon=True).start()  # a daemon does not block process exit
    return outcome.result(seconds)


def _remedy(reply: httpx2.Response) -> str:
    """The fix for an HTTP status."""
    if reply.status_code == _UNKNOWN_TOKEN:
        return "It wants another token than it was sent: `preceptor verify --token-file` takes one, a study sends none."
    if reply.status_code in _ELSEWHERE:
        where = reply.headers.get("location", "another address")[:200]
        return f"It leads on to {where}, which may be another machine and is not followed: give the address itself."
    return _AGAIN


def _read(reply: httpx2.Response, where: str, case: str) -> Reply:
    """Parse the response; null content is an empty answer, which is INVALID for label tasks."""
    try:
        body = reply.json()
        choice = body["choices"][0]
        content = choice["message"]["content"]
        text = "" if content is None else _only_text(content)
    except (ValueError, KeyError, IndexError, TypeError, RecursionError):
        what = f"what came back for case {case} is no chat completion"
        fix = "Give the address of an OpenAI-compatible interface, which mostly ends in /v1."
        raise InputError(Problem(where, what, fix)) from None
    return Reply(text, _prompt_tokens(body), _logprobs(choice), _scores(body))


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


def _scores(body: Mapping[str, Any]) -> dict[str, float] | None:
    try:
        return {str(label): float(share) for label, share in body["preceptor"]["scores"].items()}
    except (KeyError, TypeError, ValueError, OverflowError, AttributeError):
        return None


def _only_text(content: Any) -> str:
    if not isinstance(content, str):
        raise TypeError("text was expected")
    return content


def _kind(error: httpx2.HTTPError | TimeoutError) -> str:
    """The kind of failure; the exception's message might quote the request."""
    match error:
        case httpx2.TimeoutException() | TimeoutError():
            return "it took too long"
        case httpx2.ConnectError():
            return "the connection was refused"
        case _:
            return "the connection broke off"
