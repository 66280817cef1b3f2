"""Findings of preflight."""

from dataclasses import asdict, dataclass
from typing import Any, Literal

from preceptor.data._problems import short_id
from preceptor.errors import Problem
from preceptor.tasks import Split

_MAX_NAMED = 10


@dataclass(frozen=True, slots=True)
class Finding:
    """A problem (`fatal`: nothing is trained) or a `warning`.

    `code` is a stable identifier of its kind; `split` is the split concerned, if any. `where` ends in a noun for the
    items concerned: `train cases`, `patients`. Only `ids` names items, all of them; for near duplicates, `similar_to`
    names the case that each resembles.
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
        """The finding as a problem that names the first ten of the cases, for the terminal."""
        if not self.ids:
            return Problem(self.where, self.what, self.fix)
        names = [short_id(one) for one in self.ids]
        if self.similar_to:
            names = [f"{a} ~ {short_id(b)}" for a, b in zip(names, self.similar_to, strict=True)]
        where = self.where.removesuffix("s") if len(names) == 1 else self.where
        more = f" and {len(names) - _MAX_NAMED} more" if len(names) > _MAX_NAMED else ""
        return Problem(f"{where} {', '.join(names[:_MAX_NAMED])}{more}", self.what, self.fix)

    def to_json(self) -> dict[str, Any]:
        """JSON values; `cases` is the number of ids, which stays when a purge deletes them."""
        return asdict(self) | {"cases": len(self.ids)}
