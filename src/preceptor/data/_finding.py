"""One thing preflight found."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

_SHOWN = 10


@dataclass(frozen=True, slots=True)
class Finding:
    """A problem (`fatal`: nothing is trained) or something to know (`warning`); `ids` names every case concerned."""

    level: Literal["fatal", "warning"]
    where: str
    what: str
    fix: str
    ids: tuple[str, ...] = ()


def name_some(ids: Sequence[str], noun: str = "case") -> str:
    """The first ten of `ids` in words: `cases a, b, c and 4 more`."""
    more = f" and {len(ids) - _SHOWN} more" if len(ids) > _SHOWN else ""
    return f"{noun}{'' if len(ids) == 1 else 's'} {', '.join(ids[:_SHOWN])}{more}"
