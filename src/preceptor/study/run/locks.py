"""One process at a time in the folder of a stage or of an arm's answers, whatever machines share the run folder."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from preceptor.errors import InputError, Problem
from preceptor.files import private_folder

_LONGEST_WAIT = 600.0
"""Seconds. A machine that was cut off from the others may go on for a while; its lock falls when it ends."""


class FolderHeldError(InputError):
    """Another process works in a folder and does not end."""


@contextmanager
def folder_lock(folder: Path, longest_wait: float = _LONGEST_WAIT) -> Iterator[None]:
    """Make `folder` and hold it until the block ends; what stands there by then may be another process's work.

    Raises `FolderHeldError` when another process still holds it after `longest_wait` seconds.
    """
    private_folder(folder)
    try:
        held = FileLock(folder / ".lock", mode=0o600).acquire(timeout=longest_wait)
    except Timeout as error:
        what = f"another process has been working in this folder for {longest_wait / 60:.0f} minutes"
        fix = "It may be left over on a machine that was cut off: end it there. The same command then goes on."
        raise FolderHeldError(Problem(str(folder), what, fix)) from error
    with held:
        yield
        (folder / ".lock").unlink(missing_ok=True)  # the work is whole, and nobody will come for it again
