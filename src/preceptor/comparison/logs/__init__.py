"""Logs of other evaluation tools: one file each, found by its name; reading another tool's is adding a file.

Such a file has
- `knows(path) -> bool`: whether this is one of its logs, from the name and the first bytes;
- `read(path) -> Table`: a row a case, with the columns `id`, `answer`, `gold` (the right answer) and `score`, beside
  them every score under its own name, and what the log knows of a case, such as its patient. Where a log has several
  answers or scores of a case, none of them is called `answer` or `score`. Raises InputError.

Files that begin with `_` are none.
"""

from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import Protocol, cast

from preceptor.data import Table, read_table
from preceptor.files import is_file


class Log(Protocol):
    """What a file of this folder has."""

    def knows(self, path: Path) -> bool:
        """Whether this is one of its logs."""

    def read(self, path: Path) -> Table:
        """A row a case."""


def read_log(path: Path) -> Table:
    """A file of predictions: the log of a tool that is known here, else a table. Raises InputError."""
    names = sorted(found.name for found in iter_modules(__path__) if not found.name.startswith("_"))
    logs = [cast("Log", import_module(f"{__name__}.{name}")) for name in names] if is_file(path) else []
    try:
        known = next((log for log in logs if log.knows(path)), None)
    except OSError:  # which reading it as a table tells
        known = None
    return known.read(path) if known else read_table(path)
