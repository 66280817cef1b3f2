"""One thing preflight found."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from preceptor.errors import Problem
from preceptor.tasks import Split

_SHOWN = 10


@dataclass(frozen=True, slots=True)
class Finding:
    """A problem (`fatal`: nothing is trained) or something to know (`warning`).

    `code` names the kind of finding and stays when the sentences are reworded; `split` is the one it is about, if any.
    `where` ends in what is concerned: `train cases`, `patients`. No sentence names a case: `ids` names every case (or
    patient, or row) concerned, and `similar_to`, for near duplicates, the case that each of them resembles.
    """

    code: str
    level: Literal["fatal", "warning"]
    where: str
    what: str
    fix: str
    ids: tuple[str, ...] = ()
    split: Split | None = None
    similar_to: tuple[str, ...] = ()

    def problem(self) -> Problem:
        """The finding with some of the cases named, for whoever may see the data."""
        if not self.ids:
            return Problem(self.where, self.what, self.fix)
        names = [f"{a} ~ {b}" for a, b in zip(self.ids, self.similar_to, strict=True)] if self.similar_to else self.ids
        scope, _, noun = self.where.rpartition(" ")
        return Problem(f"{scope} {name_some(names, noun.removesuffix('s'))}".strip(), self.what, self.fix)

    def to_json(self) -> dict[str, Any]:
        """Plain values; `cases` counts the ids, and stays when they are deleted."""
        return asdict(self) | {"cases": len(self.ids)}


def name_some(ids: Sequence[str], noun: str = "case") -> str:
    """The first ten of `ids` in words: `cases a, b, c and 4 more`."""
    more = f" and {len(ids) - _SHOWN} more" if len(ids) > _SHOWN else ""
    return f"{noun}{'' if len(ids) == 1 else 's'} {', '.join(ids[:_SHOWN])}{more}"
