"""Bodies of requests, which the guards before both applications read alike (ASGI 3.0)."""

from starlette.requests import ClientDisconnect
from starlette.types import Message, Receive

LARGEST_BODY = 1 << 20
"""Bytes: of a note of 200,000 words, or of the longest ideal answer and note of a form, each character sent as nine."""


async def read_body(receive: Receive, discard_up_to: int = 0) -> bytes | None:
    """The whole body, or None when it exceeds `LARGEST_BODY`; the Content-Length header is not trusted.

    discard_up_to: how many bytes of a too large body are read, and dropped, before None is returned. Raises
    `ClientDisconnect` when the client disconnects before the end.
    """
    body, size, more = bytearray(), 0, True
    while more and size <= max(LARGEST_BODY, discard_up_to):
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect  # half a form must not become a vote
        part = message.get("body", b"")
        size += len(part)
        if size <= LARGEST_BODY:
            body += part
        more = message.get("more_body", False)
    return bytes(body) if size <= LARGEST_BODY else None


def replay(body: bytes, receive: Receive) -> Receive:
    """An ASGI `receive` that yields a body which was read already, then what follows it."""
    messages: list[Message] = [{"type": "http.request", "body": body}]

    async def receive_replayed() -> Message:
        return messages.pop() if messages else await receive()

    return receive_replayed
