"""Putting a page on the disk."""

import os
from pathlib import Path

from preceptor.errors import InputError, Problem
from preceptor.files import write_atomic


def write_page(path: Path, text: str) -> Path:
    """Write `text` to `path` and return it. Raises `InputError` where nothing can be written."""
    try:
        write_atomic(path, text)
    except OSError as error:
        what = f"it cannot be written ({os.strerror(error.errno or 0).lower()})"
        raise InputError(Problem(str(path), what, "Make the folder writable, or free some space.")) from error
    return path
