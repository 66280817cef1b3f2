"""`preceptor plan`: estimate a study's memory, compute and time before running it."""

import gc
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Annotated

import typer
from rich.box import SIMPLE
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from preceptor.cli._completion import studies
from preceptor.cli._say import AsJson, Given, beside_json, print_json
from preceptor.errors import printable

if TYPE_CHECKING:
    from preceptor.study import Machine, Need, Plan


@dataclass(frozen=True, slots=True)
class PlanJson:
    """What `--json` prints. peak: bytes that the study needs on a device; room: bytes of it that a study can fill;
    seconds: of everything, None where they cannot be measured; remedies: what would help where it does not fit.
    """

    study: str
    fits: bool
    peak: float
    room: float
    seconds: float | None
    machine: "Machine"
    plan: "Plan"
    remedies: list[str]


def plan(
    what: Annotated[
        str, typer.Argument(metavar="STUDY", help="A study file, or `quickstart`.", autocompletion=studies)
    ],
    model: Annotated[
        str | None, typer.Option(help="Model in place of the study's; a folder needs no more than its config.json.")
    ] = None,
    devices: Annotated[int | None, typer.Option(min=1, help="Another machine: how many accelerators it has.")] = None,
    memory_gib: Annotated[float | None, typer.Option(min=1, help="Memory of one of them, or of the machine.")] = None,
    tflops: Annotated[
        float | None, typer.Option(min=0.01, help="What matrix products reach on one of them, in 10^12 a second.")
    ] = None,
    given: Given = None,
    as_json: AsJson = False,
) -> None:
    """Say how much memory, work and time a study needs, here or on a machine you describe. Trains nothing."""
    gc.disable()  # looking for garbage among a million objects that stay takes seconds
    from preceptor.study import load_study, machine, plan_with_progress, read_planned, remedies, with_model

    gc.freeze()
    gc.enable()
    study, folder = load_study(what, given or ())
    on, console = machine(devices, memory_gib, tflops), beside_json(as_json)
    planned = read_planned(with_model(study, model), folder)
    result = plan_with_progress(planned, on, console)
    fits = result.peak <= on.room
    helping = [] if fits else remedies(planned, on)
    _show(result, on, study.name, helping, console)
    if as_json:
        print_json(PlanJson(study.name, fits, result.peak, on.room, result.seconds, on, result, helping))


def _show(result: "Plan", on: "Machine", study: str, remedies: list[str], console: Console) -> None:
    """The plan as a table, and whether it fits: where it does not, `remedies` would help."""
    console.print(_table(result, f"{study}: {result.model} on {_title(on)}, {result.numerics.dtype}"))
    for note in result.notes:
        console.print(f"  - {escape(printable(note))}", highlight=False)
    fits = result.peak <= on.room
    peak = f"{_gib(result.peak)} of {_gib(on.memory)} GiB on each device"
    console.print(f"\n[bold]{'It fits' if fits else 'It does not fit'}[/bold]: {peak}; {_time(result.seconds)} in all.")
    if not fits:
        console.print("What would help:")
        for remedy in remedies:
            console.print(f"  - {escape(printable(remedy))}", highlight=False)


def _title(on: "Machine") -> str:
    kind = "accelerator" if on.accelerator else "machine"
    several = f"{on.devices} {kind}s" if on.devices > 1 else f"one {kind}"
    what = "this machine" if on.tflops is None and not on.accelerator else several
    rate = "" if on.tflops is None else f" and {on.tflops:g} TFLOP/s"
    return f"{what}, {on.memory / 2**30:.0f} GiB{' each' if on.devices > 1 else ''}{rate}"


def _table(result: "Plan", title: str) -> Table:
    table = Table(title=escape(printable(title)), box=SIMPLE)
    table.add_column("stage", no_wrap=True)
    for name in ("tokens", "all tokens", "TFLOP", "minutes", "peak GiB"):
        table.add_column(name, justify="right")
    for task, needs in groupby(result.needs, key=lambda need: need.task):
        table.add_row(f"[bold]{escape(printable(task))}[/bold]")
        for need in needs:
            table.add_row(*_cells(need))
    return table


def _cells(need: "Need") -> list[str]:
    times = f", {need.times} seeds" if need.times > 1 else ""
    return [
        f"  {need.what}{times}",
        *(f"{need.times * tokens:,.0f}" for tokens in (need.tokens, need.seen)),
        f"{need.times * need.flops / 1e12:.1f}",
        "-" if need.seconds is None else f"{need.times * need.seconds / 60:.1f}",
        _gib(need.peak) if need.peak else "-",
    ]


def _gib(size: float) -> str:
    return f"{size / 2**30:.1f}"


def _time(seconds: float | None) -> str:
    if seconds is None:
        return "how long it takes cannot be measured here"
    minutes = max(1, round(seconds / 60))
    return f"about {minutes} minute{'s' if minutes > 1 else ''}" if minutes < 120 else f"about {minutes / 60:.1f} hours"
