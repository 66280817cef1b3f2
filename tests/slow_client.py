"""Clients that keep a server waiting, and a server in a thread, with limits that a test can wait for."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from preceptor.web.door import Listener
from preceptor.web.server import Limits, http_server

SHORT = Limits(head_seconds=1.0, body_seconds=1.0, connections=4)
PATIENCE = 60
"""Seconds until a connection must be closed, on a busy machine."""


@contextmanager
def serving(app: Any, listener: Listener, *, lifespan: bool, limits: Limits = SHORT) -> Iterator[int]:
    """Serves `app` with these limits, by default short ones; the port."""
    server = http_server(app, listener.tls, limits, lifespan=lifespan)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener.socket]})
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive()
            time.sleep(0.01)
        yield listener.socket.getsockname()[1]
    finally:
        server.should_exit = True
        thread.join()


def head(port: int, path: str, *, host: str = "", length: int = 1000, method: str = "POST") -> bytes:
    """The headers of a request with a body of this length."""
    name = host or f"127.0.0.1:{port}"
    origin = f"Origin: http://{name}\r\n" if path == "/vote" else ""
    return f"{method} {path} HTTP/1.1\r\nHost: {name}\r\n{origin}Content-Length: {length}\r\n\r\n".encode()


def drip(port: int, begin: bytes, more: bytes = b"x") -> bytes:
    """Send `begin`, then `more` now and then; what was received when the server closed the connection."""
    received, ends = b"", time.monotonic() + PATIENCE
    with socket.create_connection(("127.0.0.1", port)) as client:
        client.settimeout(0.1)
        client.sendall(begin)
        while time.monotonic() < ends:
            try:
                piece = client.recv(65536)
                if not piece:
                    return received
                received += piece
            except TimeoutError:
                pass
            except OSError:  # it was closed, and not gently
                return received
            with suppress(OSError):  # what was received before is read to its end
                client.sendall(more)
    raise AssertionError(f"the connection is still open; received: {received!r}")
