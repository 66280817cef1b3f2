"""Progress with time left, the same look for everything that takes more than five seconds."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Column


class Advance(Protocol):
    """Call with how many units were just done."""

    def __call__(self, units: float = 1, /) -> None:
        """`units` more are done."""


def quiet(units: float = 1, /) -> None:
    """An `Advance` that shows nothing."""


@contextmanager
def progress(what: str, total: int, console: Console | None = None) -> Iterator[Advance]:
    """Show a bar named `what` over `total` units while the block runs."""
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
        done = round(done + units, 6)  # parts of units must add up to a whole, or the last one never shows
        bar.update(task, completed=done)

    with bar:
        task = bar.add_task(what, total=total)
        yield advance
