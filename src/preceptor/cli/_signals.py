"""SIGTERM, with which service managers, containers and batch queues end a process: a command takes it as Ctrl-C."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def sigterm_interrupts() -> Iterator[list[int]]:
    """While the block runs, SIGTERM raises `KeyboardInterrupt` in the main thread; the list then holds the signal.

    Where SIGTERM is ignored it stays so, as whoever started the process wanted it, and another's handler is left alone.
    """
    received: list[int] = []

    def interrupt(number: int, _: FrameType | None) -> None:
        received.append(number)
        raise KeyboardInterrupt

    main_thread = threading.current_thread() is threading.main_thread()  # no other may set a handler
    if not main_thread or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        yield received
        return
    signal.signal(signal.SIGTERM, interrupt)
    try:
        yield received
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
