"""Readers of public data sets: one file each, found by name.

A reader defines `read(path: Path) -> list[dict]`: one dictionary per case, plain column names, values as text.
"""

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import Any

Reader = Callable[[Path], list[dict[str, Any]]]


def known_readers() -> list[str]:
    """The names that `reader:` accepts."""
    return sorted(found.name for found in iter_modules(__path__) if not found.name.startswith("_"))


def find_reader(name: str) -> Reader:
    """The function `read` of `readers/<name>.py`; KeyError if there is none."""
    if name not in known_readers():
        raise KeyError(name)
    reader: Reader = import_module(f"{__name__}.{name}").read
    return reader
