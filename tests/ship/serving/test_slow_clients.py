"""Who never ends what they began is not waited for, and whose answer takes long is not cut off."""

import json
import socket
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from preceptor.ship.serving import load
from preceptor.ship.serving._api import create_app
from preceptor.study import open_arm
from preceptor.web.door import open_door
from slow_client import PATIENCE, SHORT, drip, head, serving

CHAT = "/v1/chat/completions"


@pytest.fixture(scope="module")
def port(served_run: Path) -> Iterator[int]:
    """Serves long answers, with limits that are about as long as those take."""
    served, door = load(open_arm(served_run, "letter", "base")), open_door(port=0)
    app = create_app(served, hosts=door.hosts, token=None, body_seconds=SHORT.body_seconds)
    with door.socket, serving(app, door, lifespan=True) as port:
        yield port


def body_of(answer: bytes) -> dict[str, object]:
    found: dict[str, object] = json.loads(answer.partition(b"\r\n\r\n")[2])
    return found


@pytest.mark.parametrize("begin", [b"", b"POST", b"GET /health HTTP/1.1\r\nX-Long: "])
def test_headers_that_never_end_are_cut_off(begin: bytes, port: int) -> None:
    assert drip(port, begin, b"x" if begin else b"") == b""


def test_so_are_those_of_a_second_request(port: int) -> None:
    first = f"GET /health HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode()
    answer = drip(port, first + b"GET /health HTTP/1.1\r\nX-Long: ")
    assert answer.count(b"HTTP/1.1") == answer.count(b"HTTP/1.1 200") == 1


@pytest.mark.parametrize(("method", "path"), [("POST", CHAT), ("GET", "/v1/models")])
def test_a_body_that_never_ends_is_told_and_cut_off(method: str, path: str, port: int) -> None:
    answer = drip(port, head(port, path, method=method, length=100_000))
    assert answer.startswith(b"HTTP/1.1 408")
    assert b"connection: close" in answer.lower()
    error = body_of(answer)["error"]
    assert error["code"] == "request_timeout"
    assert "not there after 1 s" in error["message"]


def test_the_body_of_a_request_that_was_refused_is_not_waited_for(port: int) -> None:
    assert drip(port, head(port, CHAT, host="evil.example", length=100_000)).startswith(b"HTTP/1.1 421")


def test_a_long_answer_is_whole(port: int) -> None:
    fields, url = {"fields": {"note": "Ear wax."}}, f"http://127.0.0.1:{port}{CHAT}"
    answer = httpx2.post(url, json=fields, timeout=PATIENCE)
    assert answer.json()["choices"][0]["finish_reason"] in ("stop", "length")
    assert httpx2.post(url, json=fields | {"stream": True}, timeout=PATIENCE).text.endswith("data: [DONE]\n\n")


def test_a_body_that_comes_in_pieces_is_taken(port: int) -> None:
    body = json.dumps({"fields": {"note": "Ear wax."}, "max_tokens": 1}).encode()
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as client:
        client.sendall(head(port, CHAT, length=len(body)))
        for byte in body:
            client.sendall(bytes([byte]))
        assert client.recv(100).startswith(b"HTTP/1.1 200")


def test_who_comes_when_all_connections_are_taken_is_told_and_comes_in_later(port: int) -> None:
    url = f"http://127.0.0.1:{port}/health"
    waiting = [socket.create_connection(("127.0.0.1", port)) for _ in range(SHORT.connections)]
    assert httpx2.get(url).status_code == 503
    for one in waiting:
        one.settimeout(PATIENCE)
        assert one.recv(1) == b""
        one.close()
    assert httpx2.get(url).status_code == 200
