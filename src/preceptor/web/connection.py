"""A connection that may not wait for ever to be asked something, and a server that is ended as its process was told.

uvicorn has a limit for connections between two requests only: one that sends a byte of its headers now and then would
stay, and keep its place from others.
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
    """Connections on which each request's headers must be whole so many seconds after they began, or could have."""

    class Connection(H11Protocol):
        def __init__(self, *args: Any, **more: Any) -> None:
            super().__init__(*args, **more)
            self._deadline: asyncio.TimerHandle | None = None

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            self._begin_waiting()

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            if self._is_answering():  # for which the application has limits of its own, and answers take their time
                self._end_waiting()
            elif self._deadline is None:
                self._begin_waiting()

        def connection_lost(self, exc: Exception | None) -> None:
            self._end_waiting()
            super().connection_lost(exc)

        def _is_answering(self) -> bool:
            return self.cycle is not None and not self.cycle.response_complete

        def _begin_waiting(self) -> None:
            self._deadline = self.loop.call_later(head_seconds, self.transport.abort)

        def _end_waiting(self) -> None:
            if self._deadline is not None:
                self._deadline.cancel()
                self._deadline = None

    return Connection


class Server(uvicorn.Server):
    """A signal that the process was started to ignore, as a shell's background jobs do SIGINT, stays ignored."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Handle what ends the server, for as long as it runs."""
        ignored = [one for one in HANDLED_SIGNALS if signal.getsignal(one) is signal.SIG_IGN]
        with super().capture_signals():
            if threading.current_thread() is threading.main_thread():
                for one in ignored:
                    signal.signal(one, signal.SIG_IGN)
            yield
