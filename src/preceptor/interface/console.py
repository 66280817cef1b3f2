"""Where Python calls show their progress, and how what a terminal shows becomes text."""

import io
from collections.abc import Callable

from rich.console import Console


def live_console() -> Console:
    """Standard output. A notebook's understands what a terminal does, where rich would ask for widgets."""
    console = Console()
    return Console(force_jupyter=False, force_terminal=True) if console.is_jupyter else console


def as_text(show: Callable[[Console], object]) -> str:
    """What `show` prints, without colours."""
    written = io.StringIO()
    show(Console(file=written, force_jupyter=False, force_terminal=False))
    return written.getvalue().rstrip()
