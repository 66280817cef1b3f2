"""Starting a process that a test interrupts."""

import signal
import subprocess
from collections.abc import Sequence
from typing import Any


def start(command: Sequence[str], **options: Any) -> subprocess.Popen[Any]:
    """`Popen(command, **options)` of a process that takes Ctrl-C, wherever the tests themselves were started.

    A shell without job control has its background jobs ignore SIGINT, their children inherit that, and Python then
    raises no KeyboardInterrupt. A signal that is caught, in contrast, is back at its default in the new program.
    """
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        return subprocess.Popen(command, **options)
    finally:
        signal.signal(signal.SIGINT, before)
