"""Console output and helpers shared by commands."""

import errno
import os
import shlex
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from pydantic_core import to_json
from rich.console import Console

from preceptor.errors import InputError, PreceptorError, Problem, without_steering

if TYPE_CHECKING:
    from preceptor.study import Study

console = Console()
errors = Console(stderr=True)

Given = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="KEY=VALUE", help="A setting in place of the study's, such as sft.epochs=2; once for each."
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout, and everything else on stderr.")]

_NO_ROOM = {
    errno.ENOSPC: ("the disk is full", "Free some space"),
    errno.EDQUOT: ("your disk quota is used up", "Free some space, or ask for a larger quota"),
    errno.EFBIG: ("a file may not grow as large as it must", "Raise the limit on the size of files (`ulimit -f`)"),
}
"""What is said, and what to do, when a write finds no room."""


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


def with_model(study: "Study", model: str | None) -> "Study":
    """The study with another model. A folder is relative to the working directory, not to the study file."""
    from preceptor.models import EMBEDDED

    if model is None:
        return study
    folder = Path(model).expanduser()
    here = model != EMBEDDED and folder.is_dir()
    return study.model_copy(update={"model": str(folder.resolve()) if here else model})


def arguments_of(what: str, model: str | None, given: Sequence[str] | None) -> str:
    """The arguments of `preceptor study`, as a shell reads them."""
    options = [*(["--model", model] if model else []), *(word for one in given or () for word in ("--set", one))]
    return shlex.join([what, *options])


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


@contextmanager
def explain_full_disk(folder: Path) -> Iterator[None]:
    """Turn a write that found no room into one `InputError`; libraries wrap such errors in their own exceptions."""
    try:
        yield
    except PreceptorError:
        raise
    except Exception as error:
        numbers = (number for number in _NO_ROOM if os.strerror(number) in str(error))
        found = next(numbers, error.errno if isinstance(error, OSError) else None)
        nearest = next(path for path in (folder, *folder.absolute().parents) if path.exists())
        if found not in _NO_ROOM and shutil.disk_usage(nearest).free > 1_000_000:
            raise
        what, remedy = _NO_ROOM.get(found or 0, _NO_ROOM[errno.ENOSPC])
        fix = f"{remedy}; the same command then continues where it stopped."
        raise InputError(Problem(str(folder), what, fix)) from error
