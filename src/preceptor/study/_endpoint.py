"""The arm `endpoint`: a server that speaks the interface of OpenAI's clients answers the held-out cases.

It is on this machine unless the study names another host. What went wrong is told without what was asked or answered.
"""

import time
from collections.abc import Sequence
from typing import Any

import httpx2

from preceptor.errors import InputError, Problem
from preceptor.study._answer import Answerer, Keep
from preceptor.study._prepare import Prepared
from preceptor.study._spec import EndpointSettings

_SECONDS = httpx2.Timeout(600.0, connect=10.0)
"""A large model on a processor may write for minutes; a server that is there takes the call at once."""
_PAUSES = (1.0, 4.0, 16.0)
"""Seconds before each further try."""
_BUSY = frozenset({408, 429, 500, 502, 503, 504})


def find_server(settings: EndpointSettings) -> list[Problem]:
    """What stands in the way of asking the server: nobody there, or no model of this name."""
    try:
        with _client(settings) as client:
            reply = client.get("models", timeout=10.0)
    except httpx2.HTTPError as error:
        return [_problem(settings, f"no server answers ({_kind(error)})", "Start it, or put `endpoint.url` right.")]
    names = _model_names(reply)
    if names and settings.model not in names:
        fix = f"Set `endpoint.model` to one of {', '.join(names[:10])}."
        return [_problem(settings, f"the server knows no model {settings.model}", fix)]
    return []


def asked_of(settings: EndpointSettings, prepared: Prepared) -> Answerer:
    """One case after the other, as every other arm is shown it, at temperature 0."""

    def answer(done: frozenset[int], keep: Keep) -> None:
        with _client(settings) as client:
            for i, case in enumerate(prepared.shown):
                if i not in done:
                    messages = [dict(turn) for turn in prepared.task.messages(case)]
                    keep({i: _ask(client, settings, messages, prepared.task.answer.max_new_tokens, case.id)})

    return answer


def _client(settings: EndpointSettings) -> httpx2.Client:
    # trust_env: a proxy named in the environment is another machine. Redirects could lead to one, too.
    return httpx2.Client(
        base_url=settings.url.rstrip("/") + "/", timeout=_SECONDS, trust_env=False, follow_redirects=False
    )


def _ask(
    client: httpx2.Client, settings: EndpointSettings, messages: Sequence[dict[str, Any]], max_tokens: int, case: str
) -> str:
    request = {"model": settings.model, "messages": messages, "temperature": 0, "max_tokens": max_tokens}
    failure = ""
    for pause in (0.0, *_PAUSES):
        time.sleep(pause)
        try:
            reply = client.post("chat/completions", json=request)
        except httpx2.HTTPError as error:
            failure = _kind(error)
            continue
        if reply.status_code == 200:
            return _text(reply, settings, case)
        failure = f"status {reply.status_code}"
        if reply.status_code not in _BUSY:
            break
    fix = "Look at the server's own log, mend it, and run the same command again: it goes on from here."
    raise InputError(_problem(settings, f"case {case} could not be asked ({failure})", fix)) from None


def _text(reply: httpx2.Response, settings: EndpointSettings, case: str) -> str:
    """The answer's text; a model that says nothing has said nothing, which is no label."""
    try:
        content = reply.json()["choices"][0]["message"]["content"]
        return "" if content is None else _only_text(content)
    except (ValueError, KeyError, IndexError, TypeError):
        what = f"what came back for case {case} is no chat completion"
        fix = "Give the address of an OpenAI-compatible interface, which mostly ends in /v1."
        raise InputError(_problem(settings, what, fix)) from None


def _only_text(content: Any) -> str:
    if not isinstance(content, str):
        raise TypeError("text was expected")
    return content


def _model_names(reply: httpx2.Response) -> list[str]:
    """The models the server lists; none when it does not list any."""
    try:
        return [str(one["id"]) for one in reply.json()["data"]] if reply.status_code == 200 else []
    except (ValueError, KeyError, TypeError):
        return []


def _kind(error: httpx2.HTTPError) -> str:
    """What kind of failure it was; its own words might repeat what was sent."""
    match error:
        case httpx2.TimeoutException():
            return "it took too long"
        case httpx2.ConnectError():
            return "the connection was refused"
        case _:
            return "the connection broke off"


def _problem(settings: EndpointSettings, what: str, fix: str) -> Problem:
    return Problem(f"endpoint {settings.url}", what, fix)
