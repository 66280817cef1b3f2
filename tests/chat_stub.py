"""A small chat server on this machine, for tests: it speaks as much of OpenAI's interface as is asked of it."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from preceptor.chat_server import ChatServer

Say = Callable[[dict[str, Any]], str]
"""What is answered to a request."""


class Server(ThreadingHTTPServer):
    """Says what `say` makes of a request; `replies` are given first, as (status, body). `asked` holds every request.

    `models_reply` is said in place of the list of models.
    """

    def __init__(
        self,
        say: Say,
        replies: list[tuple[int, str]],
        models: list[str] | None,
        models_reply: tuple[int, str] | None,
    ) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.say, self.replies, self.models, self.models_reply = say, replies, models, models_reply
        self.asked: list[dict[str, Any]] = []

    @property
    def settings(self) -> ChatServer:
        return ChatServer(url=f"http://127.0.0.1:{self.server_address[1]}/v1", model="big")


class _Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        if self.server.models_reply:
            self._send(*self.server.models_reply)
        elif self.path == "/v1/models" and self.server.models is not None:
            self._send(200, json.dumps({"data": [{"id": name} for name in self.server.models]}))
        else:
            self._send(404, "{}")

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        assert self.path == "/v1/chat/completions"
        self.server.asked.append(request)
        if self.server.replies:
            return self._send(*self.server.replies.pop(0))
        text = self.server.say(request)
        return self._send(200, json.dumps({"choices": [{"message": {"role": "assistant", "content": text}}]}))

    def _send(self, status: int, body: str) -> None:
        self.send_response(status)
        if 300 <= status < 400:
            self.send_header("Location", body)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def serving(
    say: Say,
    *replies: tuple[int, str],
    models: list[str] | None = None,
    models_reply: tuple[int, str] | None = None,
) -> Iterator[Server]:
    server = Server(say, list(replies), models, models_reply)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
