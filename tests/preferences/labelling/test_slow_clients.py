"""Who connects to the page and never ends what they began is not waited for, and takes nobody's place."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from labelling_rounds import make_pair
from preceptor.preferences.labelling import Store
from preceptor.preferences.labelling._app import create_app
from preceptor.web.door import open_door
from slow_client import PATIENCE, SHORT, drip, head, serving


@pytest.fixture
def port(tmp_path: Path) -> Iterator[int]:
    store, door = Store.create(tmp_path / "s.sqlite", [make_pair(0)], title="t"), open_door(port=0)
    app = create_app(store, hosts=door.hosts, secure=False, body_seconds=SHORT.body_seconds)
    with door.socket, serving(app, door, lifespan=False) as port:
        yield port


def test_headers_and_bodies_without_end_are_cut_off_and_the_page_is_there(port: int) -> None:
    assert drip(port, b"", b"") == b"", "nothing was asked at all"
    assert drip(port, b"GET / HTTP/1.1\r\nX-Long: ") == b""
    assert drip(port, head(port, "/vote", length=100_000)).startswith(b"HTTP/1.1 408")
    assert drip(port, head(port, "/vote", host="evil.example")).startswith(b"HTTP/1.1 421")
    assert httpx2.get(f"http://127.0.0.1:{port}/").status_code == 403


def test_an_answer_may_take_longer_than_headers_and_bodies() -> None:
    async def slow(scope: Scope, receive: Receive, send: Send) -> None:
        await asyncio.sleep(3 * SHORT.head_seconds)
        await PlainTextResponse("whole")(scope, receive, send)

    with (door := open_door(port=0)).socket, serving(slow, door, lifespan=False) as port:
        assert httpx2.get(f"http://127.0.0.1:{port}/", timeout=PATIENCE).text == "whole"
