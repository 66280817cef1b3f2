"""Connections with a timeout for request headers, and a server that leaves ignored signals ignored.

uvicorn limits idle time between two requests only: a client that sends a byte of its headers now and then (slowloris)
would hold its connection for ever.
"""

import asyncio
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import HANDLED_SIGNALS


def connection_class(head_seconds: float) -> type[H11Protocol]:
    """Connections that are closed when a request's headers are incomplete `head_seconds` after it could begin."""

    class Connection(H11Protocol):
        def __init__(self, *args: Any, **more: Any) -> None:
            super().__init__(*args, **more)
            self._deadline: asyncio.TimerHandle | None = None

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            self._start_timer()

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            if self._is_answering():  # the application limits the body; responses have no limit
                self._cancel_timer()
            elif self._deadline is None:
                self._start_timer()

        def connection_lost(self, exc: Exception | None) -> None:
            self._cancel_timer()
            super().connection_lost(exc)

        def _is_answering(self) -> bool:
            return self.cycle is not None and not self.cycle.response_complete

        def _start_timer(self) -> None:
            self._deadline = self.loop.call_later(head_seconds, self.transport.abort)

        def _cancel_timer(self) -> None:
            if self._deadline is not None:
                self._deadline.cancel()
                self._deadline = None

    return Connection


class Server(uvicorn.Server):
    """Leaves signals ignored that the process inherited as ignored, as SIGINT is in a shell's background jobs."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Handle termination signals while the server runs."""
        ignored = [one for one in HANDLED_SIGNALS if signal.getsignal(one) is signal.SIG_IGN]
        with super().capture_signals():
            if threading.current_thread() is threading.main_thread():
                for one in ignored:
                    signal.signal(one, signal.SIG_IGN)
            yield
