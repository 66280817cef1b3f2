"""`preceptor docs`: the documentation in the browser."""

import os
from pathlib import Path
from typing import Annotated

import typer

from preceptor._version import __version__
from preceptor.cli._say import say
from preceptor.errors import InputError, Problem


def docs(
    output_dir: Annotated[
        Path | None, typer.Option(help="Write the pages into this folder and open none; default: the user's cache.")
    ] = None,
) -> None:
    """Open the documentation in the browser; no network is needed."""
    from preceptor._manual import INDEX, write_pages

    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = output_dir or cache / "preceptor" / f"docs-{__version__}"
    try:
        write_pages(folder)
    except OSError as error:
        what = f"the pages cannot be written here: {error.strerror}"
        fix = "Name a folder that you may write: `preceptor docs --output-dir pages`."
        raise InputError(Problem(str(folder), what, fix)) from None
    say(f"Documentation: {folder / INDEX}")
    if output_dir is None:
        typer.launch(str(folder / INDEX))
