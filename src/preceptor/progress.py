"""Progress bars with the remaining time, for everything that takes more than five seconds."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from time import monotonic
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Column


class Advance(Protocol):
    """Callback: advances a progress bar."""

    def __call__(self, units: float = 1, /) -> None:
        """Advance by `units`."""


def quiet(units: float = 1, /) -> None:
    """An `Advance` that shows nothing."""


@contextmanager
def progress(what: str, total: int, console: Console | None = None) -> Iterator[Advance]:
    """Show a bar labelled `what` of `total` units during the block."""
    bar = Progress(
        TextColumn("{task.description}", markup=False, table_column=Column(no_wrap=True)),
        BarColumn(bar_width=20),
        MofNCompleteColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        console=console or Console(stderr=True),
    )
    done = 0.0

    def advance(units: float = 1, /) -> None:
        nonlocal done
        done = round(done + units, 6)  # sums of fractions must reach the total exactly
        bar.update(task, completed=done)

    with bar:
        task = bar.add_task(what, total=total)
        yield advance


@contextmanager
def late_progress(what: str, total: int, console: Console | None = None, *, after: float = 5.0) -> Iterator[Advance]:
    """`progress` of what is mostly quick: the bar begins only when the block has taken `after` seconds."""
    begun, done = monotonic(), 0.0
    bar: Advance | None = None

    def advance(units: float = 1, /) -> None:
        nonlocal bar, done
        done += units
        if bar is not None:
            bar(units)
        elif monotonic() - begun > after:
            bar = shown.enter_context(progress(what, total, console))
            bar(done)

    with ExitStack() as shown:
        yield advance
