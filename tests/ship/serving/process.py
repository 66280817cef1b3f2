"""`preceptor serve` in a process of its own, as clients meet it."""

import http.client
import os
import signal
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

from child_process import start

_COMMAND = [sys.executable, "-c", "from preceptor.cli import main; main()", "serve"]
TOKEN = "0123456789abcdef0123"
_PATIENCE = 180
"""Seconds until a server must answer, on a busy machine."""


class Server:
    """Serves an arm on a free port. `said` is everything it wrote, on both of its streams."""

    def __init__(
        self, log: Path, run: Path, *options: str, task: str = "urgency", arm: str = "sft", token: str | None = None
    ) -> None:
        self._log = log
        self._known = {"Authorization": f"Bearer {token}"} if token else {}
        words = [str(run), "--task", task, "--arm", arm, "--port", "0", *options]
        with log.open("wb") as file:
            environment = os.environ | {"OMP_NUM_THREADS": "1"}
            self._process = start([*_COMMAND, *words], stdout=file, stderr=file, env=environment)
        try:
            self._wait_until_ready()
        except AssertionError:
            self.__exit__()
            raise
        words = self.said.split()
        self.url = words[words.index("at") + 1] if "at" in words else ""
        self.model = words[words.index("Serving") + 1]
        self.port = urlsplit(self.url).port or 0

    @property
    def said(self) -> str:
        return self._log.read_text()

    def __enter__(self) -> "Server":
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()

    def stop(self, number: signal.Signals = signal.SIGINT) -> int:
        """Ctrl-C, or another signal; the exit code."""
        self._process.send_signal(number)
        return self._process.wait(timeout=_PATIENCE)

    def ask(
        self, method: str, path: str, body: bytes | str = b"", headers: dict[str, str] | None = None
    ) -> tuple[int, dict[str, str], str]:
        """A request as written: status, headers and body of the answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=_PATIENCE)
        try:
            connection.request(method, path, body, self._known if headers is None else headers)
            answer = connection.getresponse()
            return answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read().decode()
        finally:
            connection.close()

    def metric(self, name: str) -> float:
        """A number of /metrics."""
        lines = self.ask("GET", "/metrics")[2].splitlines()
        return next((float(line.split()[-1]) for line in lines if line.startswith(f"preceptor_{name} ")), 0.0)

    def until(self, name: str, value: float) -> None:
        """Wait until a number of /metrics is `value`."""
        end = time.monotonic() + _PATIENCE
        while self.metric(name) != value:
            assert time.monotonic() < end, f"{name} is {self.metric(name)} and not {value}"
            time.sleep(0.01)

    def until_more_than(self, name: str, value: float) -> float:
        """Wait until a number of /metrics is more than `value`, and return it."""
        end = time.monotonic() + _PATIENCE
        while (found := self.metric(name)) <= value:
            assert time.monotonic() < end, f"{name} is still {found}"
            time.sleep(0.01)
        return found

    def _wait_until_ready(self) -> None:
        end = time.monotonic() + _PATIENCE
        while "Ctrl-C ends it." not in self.said:
            assert self._process.poll() is None, self.said
            assert time.monotonic() < end, "the server does not start"
            time.sleep(0.05)
