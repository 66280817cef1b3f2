"""A disk that fills up, a quota or a limit on files: told as one problem that the user can put right."""

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from preceptor.errors import InputError, PreceptorError, Problem

_NO_ROOM = {
    errno.ENOSPC: ("the disk is full", "Free some space"),
    errno.EDQUOT: ("your disk quota is used up", "Free some space, or ask for a larger quota"),
    errno.EFBIG: ("a file may not grow as large as it must", "Raise the limit on the size of files (`ulimit -f`)"),
}
"""What is said, and what to do, when a write finds no room."""


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
