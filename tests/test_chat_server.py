"""A server that is asked: how long an answer may take as a whole, and what is said of one that wants something else."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from chat_stub import serving
from preceptor.chat_server import ChatServer, TooSlowError, ask_in_full, find_server, listed_models, open_client
from preceptor.errors import InputError

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


@contextmanager
def dripping(begin: bytes) -> Iterator[ChatServer]:
    """Answers every request with `begin`, and then with a byte now and then, without end."""
    over = threading.Event()

    def drip(connection: socket.socket) -> None:
        with connection:
            try:
                connection.recv(65536)
                connection.sendall(begin)
                while not over.wait(0.02):
                    connection.sendall(b"x")
            except OSError:  # whoever asked has gone
                pass

    def accept(listener: socket.socket) -> None:
        while not over.is_set():
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=drip, args=(connection,), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=accept, args=(listener,), daemon=True).start()
        try:
            yield ChatServer(url=f"http://127.0.0.1:{listener.getsockname()[1]}/v1", model="big")
        finally:
            over.set()
            listener.shutdown(socket.SHUT_RDWR)


@pytest.mark.parametrize(
    "begin", [HEAD + b"Content-Length: 1000000000\r\n\r\n", HEAD + b"X-Long: "], ids=["body", "headers"]
)
def test_an_answer_that_comes_byte_by_byte_is_not_waited_for_without_end(begin: bytes) -> None:
    started = time.monotonic()
    with dripping(begin) as server, open_client(server) as client, pytest.raises(TooSlowError) as caught:
        ask_in_full(client, server, [], max_tokens=1, setting="ENDPOINT", case="case-7", seconds=1.5)
    assert "the answer to case case-7 was not whole after 1.5 seconds. Ask a server that answers sooner" in str(
        caught.value
    )
    assert time.monotonic() - started < 60, "it is not asked again"


def test_nor_is_a_list_of_models(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("preceptor.chat_server._LONGEST_LIST", 1.5)
    with dripping(HEAD + b"X-Long: ") as server:
        (problem,) = find_server(server, "endpoint")
    assert "no server answers (it took too long)" in str(problem)


def test_who_takes_its_time_within_the_limit_is_heard() -> None:
    with serving(lambda _: time.sleep(1) or "urgent") as server, open_client(server.settings) as client:
        reply = ask_in_full(client, server.settings, [], max_tokens=1, setting="judge", case="c", seconds=60)
    assert reply.text == "urgent"


@pytest.mark.parametrize(
    ("reply", "fix"),
    [
        ((401, "{}"), "--token-file"),
        ((302, "http://127.0.0.1:9/elsewhere"), "It leads on to http://127.0.0.1:9/elsewhere, which may be another"),
        ((307, "https://gpu7.example/v1"), "give the address itself"),
        ((400, "{}"), "Look at the server's own log"),
    ],
)
def test_what_to_do_about_a_status_is_said(reply: tuple[int, str], fix: str) -> None:
    with (
        serving(lambda _: "", reply) as server,
        open_client(server.settings) as client,
        pytest.raises(InputError) as why,
    ):
        ask_in_full(client, server.settings, [], max_tokens=1, setting="ENDPOINT", case="case-7")
    assert f"case case-7 could not be asked (status {reply[0]})" in str(why.value)
    assert fix in str(why.value)


@pytest.mark.parametrize(("status", "fix"), [(401, "--token-file"), (307, "leads on to http://127.0.0.1:9/v1/models")])
def test_it_is_said_already_where_models_are_listed(status: int, fix: str) -> None:
    with serving(lambda _: "", models_reply=(status, "http://127.0.0.1:9/v1/models")) as server:
        with open_client(server.settings) as client, pytest.raises(InputError) as caught:
            listed_models(client, server.settings, "ENDPOINT")
        assert fix in str(caught.value)
        assert f"(status {status})" in str(caught.value)
