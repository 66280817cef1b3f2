"""Console output and helpers shared by commands."""

from typing import Annotated, Any

import typer
from pydantic_core import to_json
from rich.console import Console

from preceptor.errors import InputError, Problem, without_steering

console = Console()
errors = Console(stderr=True)

Given = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="KEY=VALUE", help="A setting in place of the study's, such as sft.epochs=2; once for each."
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout, and everything else on stderr.")]


def say(*lines: str, to: Console = console) -> None:
    """Print lines without markup, highlighting or wrapping, so that paths and commands can be copied."""
    for line in lines:
        to.print(without_steering(line), highlight=False, markup=False, soft_wrap=True)


def beside_json(as_json: bool) -> Console:
    """Where people read: stderr when stdout is for a program."""
    return errors if as_json else console


def print_json(value: Any) -> None:
    """Print a dataclass or a pydantic model as JSON, in ASCII, which every terminal's encoding has."""
    typer.echo(to_json(value, indent=2, ensure_ascii=True, inf_nan_mode="null").decode())


def require_option(option: str, **options: object) -> None:
    """Raises `InputError` when options were given that only go with `option`."""
    what = f"a study file says this itself; the option only goes with {option}"
    refuse_options(what, "Leave it out, or change the study file.", **options)


def refuse_options(what: str, fix: str, **options: object) -> None:
    """Raises `InputError` with `what` and `fix` when any of the options was given."""
    given = [
        f"--{name.replace('_', '-')}" for name, value in options.items() if value is not None and value is not False
    ]
    if given:
        raise InputError(Problem(", ".join(given), what, fix))
