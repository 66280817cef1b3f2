"""The labelling server in a process of its own, which a test can kill and start again."""

import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

from child_process import start

_PROGRAM = """
import sys
from pathlib import Path
from preceptor.preferences.labelling import Store, serve
from preceptor.web.door import open_door
from preceptor.web.tls import Tls
path, host, port, *tls = sys.argv[1:]
door = open_door(host, int(port), Tls(Path(tls[0]), Path(tls[1])) if tls else None)
serve(Store.open(Path(path)), door)
"""
_PATIENCE = 180
"""Seconds until a server must answer, on a busy machine."""


class Server:
    """Serves the store at `path` on a free port, the same one after `start` again. What it said is in `log`."""

    def __init__(self, path: Path, log: Path, *, host: str = "127.0.0.1", tls: tuple[Path, Path] | None = None) -> None:
        self._path, self._log, self._host, self._tls = path, log, host, tls
        self._process: subprocess.Popen[bytes] | None = None
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.url = f"{'https' if tls else 'http'}://{host}:{self.port}"

    def __enter__(self) -> "Server":
        try:
            self.start()
        except AssertionError:
            self.kill()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def start(self) -> None:
        with self._log.open("ab") as log:
            words = [self._path, self._host, self.port, *(self._tls or ())]
            command = [sys.executable, "-c", _PROGRAM, *map(str, words)]
            self._process = start(command, stdout=log, stderr=log)
        end = time.monotonic() + _PATIENCE
        while not self._answers():
            assert self._process.poll() is None, self._log.read_text()
            assert time.monotonic() < end, "the server does not answer"
            time.sleep(0.05)

    def kill(self) -> None:
        """`kill -9`: nothing is put in order."""
        assert self._process
        self._process.kill()
        self._process.wait()

    def stop(self) -> int:
        """Ctrl-C; the exit code."""
        assert self._process
        self._process.send_signal(signal.SIGINT)
        return self._process.wait(timeout=_PATIENCE)

    def _answers(self) -> bool:
        try:
            socket.create_connection((self._host, self.port), timeout=1).close()
        except OSError:
            return False
        return True
