"""What a server must stand: each request gets a clear error, and the server lives on."""

import json
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from openai import AuthenticationError, BadRequestError, NotFoundError, OpenAI, RateLimitError

from ship.serving.process import TOKEN, Server

CHAT = "/v1/chat/completions"
FIELDS = {"note": "Ear wax."}
SECRET = "zebra-crossing"
"""Stands in every text that is sent here, and must stand in nothing the server wrote."""


@pytest.fixture(autouse=True)
def _lives_and_says_nothing(server: Server) -> Iterator[None]:
    yield
    status, _, said = server.ask("POST", CHAT, json.dumps({"fields": FIELDS}))
    assert status == 200, said
    assert SECRET not in server.said
    assert "Traceback" not in server.said


def refused(server: Server, body: bytes | str, **headers: str) -> dict[str, Any]:
    status, _, said = server.ask("POST", CHAT, body, headers)
    return json.loads(said)["error"] | {"status": status}


def test_ten_megabytes(server: Server) -> None:
    note = json.dumps({"fields": {"note": SECRET * (10_000_000 // len(SECRET))}})
    error = refused(server, note)
    assert (error["status"], error["code"]) == (413, "request_too_large")
    assert "1,048,576 bytes" in error["message"]


def test_ten_megabytes_in_chunks_without_a_length(server: Server) -> None:
    chunk = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as sender:
        head = f"POST {CHAT} HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\nTransfer-Encoding: chunked\r\n\r\n"
        sender.sendall(head.encode() + chunk * 160 + b"0\r\n\r\n")
        assert sender.recv(100).startswith(b"HTTP/1.1 413")


def test_a_body_without_end_is_cut_off(server: Server) -> None:
    chunk = b"100000\r\n" + b"x" * 0x100000 + b"\r\n"
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as sender:
        head = f"POST {CHAT} HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\nTransfer-Encoding: chunked\r\n\r\n"
        sender.sendall(head.encode())
        with pytest.raises(OSError):  # noqa: PT011 (a broken pipe, or a reset)
            sender.sendall(chunk * 200)


def test_a_prompt_that_does_not_fit(server: Server, client: OpenAI) -> None:
    with pytest.raises(BadRequestError) as caught:
        client.chat.completions.create(model=server.model, messages=[{"role": "user", "content": SECRET * 60_000}])
    assert caught.value.code == "context_length_exceeded"
    assert "1024" in caught.value.message
    assert SECRET not in caught.value.message


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"zebra-crossing",
        b'{"messages": "zebra-crossing"',
        b"\xff\xfe{}",
        b"[" * 500_000,
        b'{"fields": {"note": "\\ud800 zebra-crossing"}}',
        b'{"fields": {"note": "' + b"\\u0000" * 10 + b"}",
    ],
)
def test_what_is_no_json(body: bytes, server: Server) -> None:
    error = refused(server, body)
    assert (error["status"], error["code"], error["type"]) == (400, "invalid_json", "invalid_request_error")
    assert SECRET not in error["message"]


@pytest.mark.parametrize(
    ("asked", "code", "said"),
    [
        ([], "invalid_value", "must be an object"),
        ({}, "invalid_value", "either `messages`"),
        ({"messages": []}, "invalid_value", "either `messages`"),
        ({"messages": [{"role": "user", "content": SECRET}], "fields": FIELDS}, "invalid_value", "either `messages`"),
        ({"messages": SECRET}, "invalid_value", "`messages`"),
        ({"messages": [{"role": "wizard", "content": SECRET}]}, "invalid_value", "`messages[0].role`"),
        ({"messages": [{"role": "user", "content": 5}]}, "invalid_value", "`messages[0].content"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, "invalid_value", "content"),
        ({"messages": [{"role": "user", "content": SECRET, "name": "x"}]}, "unknown_parameter", "`messages[0].name`"),
        ({"fields": {}}, "invalid_value", "missing or empty: note"),
        ({"fields": {"note": "  "}}, "invalid_value", "missing or empty: note"),
        ({"fields": {"note": 5}}, "invalid_value", "`fields.note`"),
        ({"fields": FIELDS | {"age": "5"}}, "invalid_value", "unknown: age"),
        ({"fields": FIELDS, "temperature": 0.7}, "unsupported_value", "`temperature`"),
        ({"fields": FIELDS, "n": 2}, "unsupported_value", "`n`"),
        ({"fields": FIELDS, "stop": ""}, "invalid_value", "`stop[0]`"),
        ({"fields": FIELDS, "stop": [SECRET, ""]}, "invalid_value", "`stop[1]`"),
        ({"fields": FIELDS, "stop": [SECRET] * 5}, "invalid_value", "`stop`"),
        ({"fields": FIELDS, "stop": 5}, "invalid_value", "`stop`"),
        ({"fields": FIELDS, "logprobs": True, "top_logprobs": 21}, "invalid_value", "`top_logprobs`"),
        ({"fields": FIELDS, "top_logprobs": 2}, "invalid_value", "`logprobs: true`"),
        ({"fields": FIELDS, "tools": [{"type": "function"}]}, "unsupported_value", "`tools`"),
        ({"fields": FIELDS, "response_format": {"type": "json_object"}}, "unsupported_value", "`response_format`"),
        ({"fields": FIELDS, "top_k": 5}, "unknown_parameter", "`top_k`"),
        ({"fields": FIELDS, "max_tokens": 0}, "invalid_value", "`max_tokens`"),
        ({"fields": FIELDS, "stream": "yes"}, "invalid_value", "`stream`"),
    ],
)
def test_what_cannot_be_asked(asked: Any, code: str, said: str, server: Server) -> None:
    error = refused(server, json.dumps(asked))
    assert (error["status"], error["code"]) == (400, code)
    assert said in error["message"]
    assert SECRET not in error["message"]


def test_everything_that_is_wrong_is_told_at_once(server: Server) -> None:
    error = refused(server, json.dumps({"messages": [{"role": "wizard", "content": 5}], "max_tokens": 0, "k": 1}))
    assert all(
        f"`{name}" in error["message"] for name in ("messages[0].role", "messages[0].content", "max_tokens", "k")
    )


def test_an_unknown_model(server: Server, client: OpenAI) -> None:
    with pytest.raises(NotFoundError, match=server.model):
        client.chat.completions.create(model="gpt-4", messages=[{"role": "user", "content": SECRET}])


@pytest.mark.parametrize(("method", "path"), [("GET", CHAT), ("POST", "/v1/completions"), ("GET", "/../etc/passwd")])
def test_an_address_that_is_not_there(method: str, path: str, server: Server) -> None:
    status, _, said = server.ask(method, path)
    assert status in (404, 405)
    assert json.loads(said)["error"]["code"] == "unknown_url"


def test_another_host_s_name_and_a_web_page_are_not_answered(server: Server) -> None:
    body = json.dumps({"fields": FIELDS})
    assert refused(server, body, Host=f"evil.example:{server.port}")["status"] == 421
    assert refused(server, body, Origin="https://evil.example")["status"] == 403
    assert refused(server, body, Origin=f"http://127.0.0.1:{server.port}")["status"] == 403


def test_a_full_queue_says_when_to_come_again_and_those_who_wait_are_answered(
    slow_server: Server, slow_client: OpenAI
) -> None:
    request = {"model": slow_server.model, "messages": [], "extra_body": {"fields": FIELDS}}
    with ThreadPoolExecutor(3) as waiting, slow_client.chat.completions.create(**request, stream=True) as stream:
        next(stream)
        slow_server.until("answering", 1)
        placed = [waiting.submit(slow_client.chat.completions.create, **request) for _ in range(2)]
        slow_server.until("waiting", 2)
        with pytest.raises(RateLimitError) as caught:
            slow_client.chat.completions.create(**request)
        assert caught.value.code == "queue_full"
        assert int(caught.value.response.headers["retry-after"]) >= 1
        streamed = "".join(chunk.choices[0].delta.content or "" for chunk in stream)
        texts = {one.result().choices[0].message.content for one in placed}
    assert texts == {streamed}
    assert slow_server.metric('requests_total{status="429"}') == 1


def test_a_client_that_leaves_a_stream_frees_its_place_at_once(slow_server: Server, slow_client: OpenAI) -> None:
    request = {"model": slow_server.model, "messages": [], "extra_body": {"fields": FIELDS}}
    slow_server.until("answering", 0)
    tokens = slow_server.metric("answer_tokens_total")
    with slow_client.chat.completions.create(**request, stream=True) as stream:
        for _ in range(5):
            next(stream)
        slow_server.until("answering", 1)
    slow_server.until("answering", 0)
    assert slow_server.until_more_than("answer_tokens_total", tokens) - tokens < 400  # counted after the place is free
    assert slow_client.chat.completions.create(**request).choices[0].finish_reason == "length"


def test_clients_that_leave_while_they_wait_free_their_places(slow_server: Server, slow_client: OpenAI) -> None:
    request = {"model": slow_server.model, "messages": [], "extra_body": {"fields": FIELDS}}
    body = json.dumps({"fields": FIELDS})
    host = f"Host: 127.0.0.1:{slow_server.port}\r\nAuthorization: Bearer {TOKEN}\r\n"
    head = f"POST {CHAT} HTTP/1.1\r\n{host}Content-Length: {len(body)}\r\n\r\n{body}"
    with slow_client.chat.completions.create(**request, stream=True) as stream:
        next(stream)
        slow_server.until("answering", 1)
        senders = [socket.create_connection(("127.0.0.1", slow_server.port)) for _ in range(2)]
        for sender in senders:
            sender.sendall(head.encode())
        slow_server.until("waiting", 2)
        for sender in senders:
            sender.close()
        slow_server.until("waiting", 0)
        assert slow_server.metric("answering") == 1
    slow_server.until("answering", 0)
    assert slow_server.metric('requests_total{status="499"}') == 2


def test_half_a_request(server: Server) -> None:
    with socket.create_connection(("127.0.0.1", server.port)) as sender:
        head = f"POST {CHAT} HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\nContent-Length: 100\r\n\r\n"
        sender.sendall(head.encode() + b'{"fields": {"note": "zebra-crossing')
    time.sleep(0.1)
    assert server.metric("waiting") == 0


@pytest.mark.parametrize("given", ["", "Bearer", "Bearer wrong", TOKEN, f"Basic {TOKEN}", f"Bearer {TOKEN}x"])
def test_without_the_token_nothing_is_answered(given: str, slow_server: Server) -> None:
    known = {"Authorization": given} if given else {}
    status, headers, said = slow_server.ask("POST", CHAT, json.dumps({"fields": FIELDS}), known)
    assert (status, headers["www-authenticate"]) == (401, "Bearer")
    assert json.loads(said)["error"]["code"] == "invalid_api_key"
    assert [slow_server.ask("GET", path, headers=known)[0] for path in ("/v1/models", "/metrics")] == [401, 401]


def test_health_is_open_and_a_client_with_another_key_is_told(slow_server: Server) -> None:
    assert slow_server.ask("GET", "/health", headers={})[::2] == (200, '{"status":"ok"}')
    with OpenAI(base_url=slow_server.url, api_key="wrong") as client, pytest.raises(AuthenticationError):
        client.models.list()
    assert TOKEN not in slow_server.said
