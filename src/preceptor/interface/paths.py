"""Paths that Python gives: what no file system can have is told as everything else that is wrong."""

import os
from pathlib import Path

from preceptor.errors import InputError, Problem
from preceptor.files import why_no_path


def path_of(given: str | os.PathLike[str], name: str) -> Path:
    """A path; `name` is that of the argument. Raises `InputError` where there can be none like it."""
    if why := why_no_path(os.fspath(given)):
        raise InputError(Problem(name, why, "Name another"))
    return Path(given)
