"""A connection with a timeout for request headers, and a server that respects ignored signals.

uvicorn has a keep-alive timeout only: a client that sends its headers slowly would keep its connection (slowloris).
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
    """A connection class that aborts when request headers are incomplete after `head_seconds`."""

    class Connection(H11Protocol):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            self._timeout: asyncio.TimerHandle | None = None

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            self._start_timeout()

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            if self._is_answering():  # the application has its own timeouts
                self._cancel_timeout()
            elif self._timeout is None:
                self._start_timeout()

        def connection_lost(self, exc: Exception | None) -> None:
            self._cancel_timeout()
            super().connection_lost(exc)

        def _is_answering(self) -> bool:
            return self.cycle is not None and not self.cycle.response_complete

        def _start_timeout(self) -> None:
            self._timeout = self.loop.call_later(head_seconds, self.transport.abort)

        def _cancel_timeout(self) -> None:
            if self._timeout is not None:
                self._timeout.cancel()
                self._timeout = None

    return Connection


class Server(uvicorn.Server):
    """A server that keeps signals ignored which the process inherited as ignored, such as SIGINT of background jobs."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Handle termination signals while the server runs."""
        ignored = [one for one in HANDLED_SIGNALS if signal.getsignal(one) is signal.SIG_IGN]
        with super().capture_signals():
            if threading.current_thread() is threading.main_thread():
                for one in ignored:
                    signal.signal(one, signal.SIG_IGN)
            yield
