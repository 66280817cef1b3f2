"""`preceptor check`: what is wrong with a study or its data."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from preceptor.cli._completion import studies_or_data
from preceptor.cli._say import AsJson, Given, beside_json, print_json, refuse_options, require_option, say
from preceptor.errors import InputError, Problem

if TYPE_CHECKING:
    from preceptor.data import Preflight
    from preceptor.study import Study


@dataclass(frozen=True, slots=True)
class CheckJson:
    """What `--json` prints. problems: what is fatal, in every place; tasks: each one's findings, counts and lengths.

    Of what cannot be read as a study there are `problems` alone.
    """

    study: str | None
    ready: bool
    problems: list[Problem]
    warnings: list[Problem]
    tasks: "list[Preflight]"


def check(
    what: Annotated[
        str,
        typer.Argument(
            metavar="STUDY|DATA",
            help="A study file, `quickstart`, or a data file with --task.",
            autocompletion=studies_or_data,
        ),
    ],
    task: Annotated[str | None, typer.Option(help="Check a data file for this task (name or task file).")] = None,
    target: Annotated[str | None, typer.Option(help="With --task: column of right answers.")] = None,
    group: Annotated[str | None, typer.Option(help="With --task: column of the patient, or 'each row'.")] = None,
    model: Annotated[str | None, typer.Option(help="Model in place of the study's; a folder, hub id or name.")] = None,
    max_length: Annotated[int | None, typer.Option(help="With --task: longest prompt and answer, in tokens.")] = None,
    given: Given = None,
    as_json: AsJson = False,
) -> None:
    """Find what is wrong with a study or its data, before anything is trained."""
    from preceptor.interface import study_command
    from preceptor.study import look_at_study

    try:
        study, folder = _read(what, task, target, group, model, max_length, given)
        looked = look_at_study(study, folder, beside_json(as_json))
    except InputError as error:
        if as_json:
            print_json(CheckJson(None, False, error.problems, [], []))
        raise
    if as_json:
        tasks = [one.preflight for one in looked.tasks]
        print_json(CheckJson(study.name, not looked.problems, looked.problems, looked.warnings, tasks))
    if looked.problems:
        raise InputError(looked.problems)
    ready = "Ready to train." if task else f"Ready: {study_command(what, model, given or ())}"
    say(ready, to=beside_json(as_json))


def _read(
    what: str,
    task: str | None,
    target: str | None,
    group: str | None,
    model: str | None,
    max_length: int | None,
    given: list[str] | None,
) -> tuple["Study", Path]:
    """The study of the file, or of one task with a data file, and the folder that its paths are relative to."""
    from preceptor.models import EMBEDDED
    from preceptor.study import load_study, make_study, with_model

    if task is None:
        require_option("--task", target=target, group=group, max_length=max_length)
        study, folder = load_study(what, given or ())
        return with_model(study, model), folder
    refuse_options("with --task there is no study file whose settings it could replace", "Leave it out.", set=given)
    data = {"path": str(Path(what).resolve()), "target": target, "group": group}
    beside = str(Path(task).resolve()) if Path(task).is_file() else task
    settings: dict[str, Any] = {
        "name": "check",
        "model": model or EMBEDDED,
        "tasks": [{"task": beside, "data": data}],
    }
    settings |= {"max_length": max_length} if max_length else {}
    return make_study(settings, "preceptor check"), Path()
