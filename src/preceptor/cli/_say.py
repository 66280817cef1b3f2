"""Console output and helpers shared by commands."""

import errno
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from preceptor.errors import InputError, PreceptorError, without_steering

if TYPE_CHECKING:
    from preceptor.study import Study

console = Console()
errors = Console(stderr=True)


def say(*lines: str) -> None:
    """Print lines without markup, highlighting or wrapping, so that paths and commands can be copied."""
    for line in lines:
        console.print(without_steering(line), highlight=False, markup=False, soft_wrap=True)


def with_model(study: "Study", model: str | None) -> "Study":
    """The study with another model. A folder is relative to the working directory, not to the study file."""
    from preceptor.models import EMBEDDED

    if model is None:
        return study
    folder = Path(model).expanduser()
    here = model != EMBEDDED and folder.is_dir()
    return study.model_copy(update={"model": str(folder.resolve()) if here else model})


def arguments_of(what: str, model: str | None) -> str:
    """The arguments of `preceptor study`."""
    return f"{what} --model {model}" if model else what


def require_option(option: str, **options: object) -> None:
    from preceptor.errors import Problem

    given = [f"--{name.replace('_', '-')}" for name, value in options.items() if value is not None]
    if given:
        what = f"a study file says this itself; the option only goes with {option}"
        raise InputError(Problem(", ".join(given), what, "Leave it out, or change the study file."))


@contextmanager
def explain_full_disk(folder: Path) -> Iterator[None]:
    """Turn any error on a full disk into one `InputError`; libraries wrap ENOSPC in their own exceptions."""
    from preceptor.errors import Problem

    try:
        yield
    except PreceptorError:
        raise
    except Exception as error:
        disk_full = isinstance(error, OSError) and error.errno == errno.ENOSPC
        if not disk_full and shutil.disk_usage(_nearest(folder)).free > 1_000_000:
            raise
        fix = "Free some space; the same command then continues where it stopped."
        raise InputError(Problem(str(folder), "the disk is full", fix)) from error


def _nearest(folder: Path) -> Path:
    return next(path for path in (folder, *folder.absolute().parents) if path.exists())
