"""`preceptor examples`: studies to copy and change."""

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from preceptor.cli._say import console, say
from preceptor.errors import InputError, Problem

if TYPE_CHECKING:
    from preceptor.study import Study

_FOLDER = Path(__file__).parents[1] / "manual" / "examples"


def examples(
    name: Annotated[
        str | None, typer.Argument(metavar="[EXAMPLE]", help="Copy this study and its task into the current folder.")
    ] = None,
) -> None:
    """List the example studies, or copy one into the current folder, to change."""
    from preceptor.study import load_study

    names = sorted(path.stem for path in _FOLDER.glob("*.yaml") if not path.stem.endswith(".task"))
    if name is None:
        table = Table("example", "question", box=None, pad_edge=False)
        for each in names:
            table.add_row(each, _question(load_study(str(_FOLDER / f"{each}.yaml"))[0]))
        console.print(table)
        return
    if name not in names:
        raise InputError(Problem(name, "there is no such example", f"There are: {', '.join(names)}."))
    study, _ = load_study(str(_FOLDER / f"{name}.yaml"))
    files = [f"{name}.yaml", *sorted({entry.task for entry in study.tasks if (_FOLDER / entry.task).is_file()})]
    _copy(files)
    say(f"Written: {', '.join(files)}")
    if any(entry.data.path for entry in study.tasks):
        say("Its data are not part of Preceptor: put right where they are (`path:`).")
    say(f"Then: preceptor check {name}.yaml")


def _question(study: "Study") -> str:
    """The study's own question; where it has the usual one, its task's."""
    from preceptor.tasks import load_task

    if "question" in study.model_fields_set:
        return study.question
    return " ".join(load_task(_FOLDER / entry.task).question for entry in study.tasks)


def _copy(files: list[str]) -> None:
    there = [file for file in files if Path(file).exists()]
    if there:
        fix = "Move it away, or run the command in another folder"
        raise InputError([Problem(file, "there is already a file of this name", fix) for file in there])
    try:
        for file in files:
            shutil.copyfile(_FOLDER / file, file)
    except OSError as error:
        what = f"it cannot be written here: {error.strerror}"
        raise InputError(Problem(file, what, "Run the command in a folder of yours.")) from None
