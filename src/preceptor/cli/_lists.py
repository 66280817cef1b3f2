"""`preceptor tasks` and `models`: list what is built in."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from preceptor.cli._say import AsJson, beside_json, console, errors, print_json, say
from preceptor.errors import InputError, Problem

if TYPE_CHECKING:
    from preceptor.models import KnownModel


@dataclass(frozen=True, slots=True)
class ModelsJson:
    """What `preceptor models --json` prints."""

    models: "list[KnownModel]"


def tasks(
    name: Annotated[
        str | None, typer.Argument(metavar="[TASK]", help="Show this task's file, to copy and change.")
    ] = None,
) -> None:
    """List the built-in clinical tasks, or show one."""
    from preceptor.tasks import builtin_tasks, load_task, task_file

    if name:
        load_task(name)
        typer.echo(task_file(name).read_text(encoding="utf-8"), nl=False)
        return
    table = Table("task", "metric", "question", box=None, pad_edge=False)
    for each in map(load_task, builtin_tasks()):
        table.add_row(each.name, each.metric, each.question)
    console.print(table)


def models(
    action: Annotated[
        str | None, typer.Argument(metavar="[fetch]", help="`fetch` puts an embedded model into the cache.")
    ] = None,
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="Which one; without a name the default model.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List the models that need no hub, or fetch one of them."""
    from preceptor.models import EMBEDDED, fetch_embedded, list_models

    if action == "fetch":
        say(f"Ready: {fetch_embedded(name or EMBEDDED, errors)}", to=beside_json(as_json))
    elif action is not None:
        raise InputError(
            Problem(action, "there is no such action", "Say `preceptor models` or `preceptor models fetch`.")
        )
    if as_json:
        print_json(ModelsJson(list_models()))
    if as_json or action:
        return
    for model in list_models():
        where = f"{model.size // 1_000_000} MB in {model.location}" if model.fetched else "not fetched yet"
        say(f"{model.name}  {model.title}  {where}")
    console.print("Any other model: a local folder, or a hub id, named as `model:` in the study.", highlight=False)
