"""Makers of fields, made on the training part: one file each, found by its name.

A maker defines `Settings`, a pydantic model, and `fit(train, source, task, settings) -> make`: `make(example)` gives
the made field's text from the field `source` of that example. `fit` sees training cases alone, and what is made of a
case depends on them, on its own fields and on the task's labels: never on its target or on other cases.

It may define `makes_pieces`, whether the text is in pieces, as is then each field that it needs beside its source;
`problems(source, settings, cases)`: the cases that it refuses; `caution(make, cases)`: what is worth knowing of what it
made, or None; and `from_stated(stated) -> make`, where `make.stated()` gives JSON values that hold all that was fitted,
so that the field can be made where there are no training cases.
"""

from importlib import import_module
from pathlib import Path
from typing import Any

_FOLDER = Path(__file__).parent


def field_makers() -> list[str]:
    """The names of the makers."""
    return sorted(path.stem for path in _FOLDER.glob("[!_]*.py"))


def find_field_maker(name: str) -> Any:
    """The maker in `fields/<name>.py`. Raises `KeyError` when there is none."""
    if name not in field_makers():
        raise KeyError(name)
    return import_module(f"{__name__}.{name}")
