"""What stands before the page: which requests come in at all, and what goes out with every answer.

- A request must name the host that the page was started for: otherwise a web site could have its own name lead to this
  machine and read the page from a rater's browser (DNS rebinding).
- A request that changes something must come from a page of this server, which browsers say in `Origin`: the cookie's
  `SameSite=Strict` keeps other sites out, and this other ports of the same machine.
- Bodies are small, and there in time. Faults are logged with their place in our code, never with their words: those may
  hold case text.
"""

import asyncio
import logging
from collections.abc import Collection
from http import HTTPStatus

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from preceptor.errors import kind_and_place

LARGEST_BODY = 1 << 20
"""Bytes. The longest ideal answer and note fit in, each character sent as nine."""

HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self';"
        " form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "cache-control": "no-store",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
    "referrer-policy": "same-origin",  # with `no-referrer`, browsers would send forms without their origin
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}
_READING = ("GET", "HEAD")

log = logging.getLogger("preceptor.labelling")


class Guard:
    """Wraps the page's application. `hosts` are the `name:port` that a request may name."""

    def __init__(self, app: ASGIApp, hosts: Collection[str], *, secure: bool, body_seconds: float) -> None:
        self._app, self._body_seconds = app, body_seconds
        self._hosts = frozenset(hosts)
        self._origins = {f"{'https' if secure else 'http'}://{host}" for host in hosts}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request; anything but HTTP (and the server's own start and end) is not answered."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        elif scope["type"] == "http":
            await self._answer(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = False

        async def send_guarded(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        try:
            app, body = self._refusal(scope), b""
            if app is None:
                body, app = await self._read(receive)
            await (app or self._app)(scope, _given(body, receive), send_guarded)
        except ClientDisconnect:
            return
        except Exception as error:
            log.error("fault: %s", kind_and_place(error))
            if not started:
                await _plain(HTTPStatus.INTERNAL_SERVER_ERROR)(scope, receive, send_guarded)

    async def _read(self, receive: Receive) -> tuple[bytes, PlainTextResponse | None]:
        """The body, or what is answered to one that is too large or too slow."""
        try:
            async with asyncio.timeout(self._body_seconds):
                body = await _body(receive)
        except TimeoutError:
            slow = _plain(HTTPStatus.REQUEST_TIMEOUT)
            slow.headers["connection"] = "close"  # or the rest would be waited for
            return b"", slow
        return (b"", _plain(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)) if body is None else (body, None)

    def _refusal(self, scope: Scope) -> PlainTextResponse | None:
        headers = Headers(scope=scope)
        hosts, origins = headers.getlist("host"), headers.getlist("origin")
        if len(hosts) != 1 or hosts[0].lower() not in self._hosts:
            return _plain(HTTPStatus.MISDIRECTED_REQUEST)
        if scope["method"] not in _READING and (len(origins) != 1 or origins[0] not in self._origins):
            return _plain(HTTPStatus.FORBIDDEN)
        if int(headers.get("content-length", "0")) > LARGEST_BODY:
            return _plain(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        return None


async def _body(receive: Receive) -> bytes | None:
    """The whole body, or None when it is too large: a length in the headers may lie, or be missing."""
    body, more = b"", True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect  # half a form must not become a vote
        body += message.get("body", b"")
        if len(body) > LARGEST_BODY:
            return None
        more = message.get("more_body", False)
    return body


def _given(body: bytes, receive: Receive) -> Receive:
    """Receives a body that has been read already, and then what comes after it."""
    messages: list[Message] = [{"type": "http.request", "body": body}]

    async def receive_given() -> Message:
        return messages.pop() if messages else await receive()

    return receive_given


def _plain(status: HTTPStatus) -> PlainTextResponse:
    return PlainTextResponse(f"{status.value} {status.phrase}\n", status)
