"""What stands before the interface: which requests come in at all, and what is done when something goes wrong.

- A request must name the host that the server was started for, and must not come from a web page: otherwise a site
  could have its own name lead to this machine (DNS rebinding), or let a visitor's browser ask the model. No page is
  served here, so whatever brings an `Origin` is refused.
- With a token, every request but one for `/health` must bring it.
- Bodies are small, and there in time. Faults are logged with their place in our code, never with their words: those may
  hold case text.
"""

import asyncio
import hmac
import logging
import time
from collections.abc import Collection
from http import HTTPStatus

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from preceptor.errors import kind_and_place
from preceptor.ship.serving._counts import Counts
from preceptor.ship.serving._refused import RefusedError, fault

LARGEST_BODY = 1 << 20
"""Bytes. A note of 200,000 words fits in."""
_READ_AWAY = 32 << 20
"""Bytes of a body that is too large which are read and dropped: a client that is cut off while it sends would see no
answer. Beyond them it is cut off."""
CHAT = "/v1/chat/completions"
LEFT = 499
"""What a request counts as whose client left before it was answered; the number is nginx's."""

log = logging.getLogger("preceptor.serving")


class Guard:
    """Wraps the application. `hosts` are the `name:port` that a request may name; without a `token`, none is asked."""

    def __init__(
        self, app: ASGIApp, hosts: Collection[str], token: str | None, counts: Counts, *, body_seconds: float
    ) -> None:
        self._app, self._hosts, self._counts = app, frozenset(hosts), counts
        self._body_seconds = body_seconds
        self._token = None if token is None else token.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request; anything but HTTP (and the server's own start and end) is not answered."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        elif scope["type"] == "http":
            await self._counted(scope, receive, send)

    async def _counted(self, scope: Scope, receive: Receive, send: Send) -> None:
        status, started = LEFT, time.perf_counter()

        async def send_guarded(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers["cache-control"] = "no-store"
                headers["x-content-type-options"] = "nosniff"
            await send(message)

        try:
            await self._answer(scope, receive, send_guarded)
        except ClientDisconnect:
            pass
        except Exception as error:
            log.error("fault: %s", kind_and_place(error))
            if status == LEFT:
                await refusal(fault())(scope, receive, send_guarded)
        finally:
            if scope["path"] == CHAT:
                self._counts.requests[status] += 1
                self._counts.request_seconds += time.perf_counter() - started

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope)
        try:
            self._check(headers, scope["path"])
            body = await self._read(headers, receive)
        except RefusedError as error:
            await refusal(error)(scope, receive, send)
        else:
            await self._app(scope, _given(body, receive), send)

    async def _read(self, headers: Headers, receive: Receive) -> bytes:
        """The body. Raises `RefusedError` when it is too large, or not there in time."""
        try:
            async with asyncio.timeout(self._body_seconds):
                return await _body(headers, receive)
        except TimeoutError:
            message = f"the body of the request was not there after {self._body_seconds:g} s"
            raise RefusedError(HTTPStatus.REQUEST_TIMEOUT, message, code="request_timeout") from None

    def _check(self, headers: Headers, path: str) -> None:
        hosts = headers.getlist("host")
        if len(hosts) != 1 or hosts[0].lower() not in self._hosts:
            message = (
                f"this server answers to {' and '.join(sorted(self._hosts))} only; a proxy must name it so in `Host`"
            )
            raise RefusedError(HTTPStatus.MISDIRECTED_REQUEST, message)
        if headers.getlist("origin"):
            raise RefusedError(HTTPStatus.FORBIDDEN, "web pages are not answered; ask from a program")
        if self._token is not None and path != "/health" and not self._knows_token(headers):
            message = "the token is missing or wrong: send it as `Authorization: Bearer <token>` (the client's api_key)"
            raise RefusedError(HTTPStatus.UNAUTHORIZED, message, code="invalid_api_key")

    def _knows_token(self, headers: Headers) -> bool:
        given = headers.get("authorization", "").encode("latin-1", "replace").split(None, 1)
        return (
            self._token is not None
            and len(given) == 2
            and given[0].lower() == b"bearer"
            and hmac.compare_digest(given[1].strip(), self._token)
        )


def refusal(error: RefusedError) -> JSONResponse:
    """The answer to a request that is refused."""
    return JSONResponse(error.body, error.status, error.headers)


async def _body(headers: Headers, receive: Receive) -> bytes:
    """The whole body. Raises `RefusedError` when it is too large: a length in the headers may lie, or be missing."""
    if "expect" in headers and int(headers.get("content-length", "0")) > LARGEST_BODY:
        raise _too_large()  # the client asks before it sends
    body, size, more = bytearray(), 0, True
    while more and size <= _READ_AWAY:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        part = message.get("body", b"")
        size += len(part)
        if size <= LARGEST_BODY:
            body += part
        more = message.get("more_body", False)
    if size > LARGEST_BODY:
        raise _too_large()
    return bytes(body)


def _too_large() -> RefusedError:
    message = f"a request may have {LARGEST_BODY:,} bytes"
    return RefusedError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, message, code="request_too_large")


def _given(body: bytes, receive: Receive) -> Receive:
    """Receives a body that has been read already, and then what comes after it."""
    messages: list[Message] = [{"type": "http.request", "body": body}]

    async def receive_given() -> Message:
        return messages.pop() if messages else await receive()

    return receive_given
