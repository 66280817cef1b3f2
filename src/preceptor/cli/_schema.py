"""`preceptor schema`: what editors and scripts need to know of a file."""

import json
from typing import Annotated, Literal

import typer


def schema(
    what: Annotated[
        Literal["study", "task", "results"],
        typer.Argument(metavar="[study|task|results]", help="A study file, a task file, or a run's results.json."),
    ] = "study",
) -> None:
    """Print a file's JSON Schema, by which editors complete and check it."""
    from preceptor._schema import json_schema

    typer.echo(json.dumps(json_schema(what), indent=2))
