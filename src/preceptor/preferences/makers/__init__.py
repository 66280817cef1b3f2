"""Makers of preference pairs: one file each, found by its name; adding a maker is adding a file.

Such a file has the names of `Maker` in `_maker`. Files that begin with `_` are no makers.
"""

from collections.abc import Sequence
from importlib import import_module
from pkgutil import iter_modules
from typing import cast

from preceptor.errors import InputError, Problem
from preceptor.preferences.makers import _default
from preceptor.preferences.makers._maker import Maker


def maker_names() -> list[str]:
    """The names that a study may list under `makers`."""
    return sorted(found.name for found in iter_modules(__path__) if not found.name.startswith("_"))


def find_maker(name: str | None) -> Maker:
    """The maker `makers/<name>.py`, or the default for None. Raises `InputError`, with the known names, for others."""
    if name is None:
        return _default
    if name not in maker_names():
        fix = f"Choose one of: {', '.join(maker_names())}"
        raise InputError(Problem(f"maker {name!r}", "there is no such maker of pairs", fix))
    return cast("Maker", import_module(f"{__name__}.{name}"))


def explanations(makers: Sequence[str]) -> dict[str, str]:
    """Origin of pairs -> what their rejected answers are, in a study of these makers; unknown ones are left out."""
    known = [name for name in makers if name in maker_names()]
    return {name: find_maker(name).explanation for name in known} if makers else _default.EXPLANATIONS
