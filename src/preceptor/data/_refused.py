"""Rows that cannot be examples, as the reader tells of them and as preflight counts them."""

from collections.abc import Sequence
from dataclasses import dataclass

from preceptor.data._finding import Finding
from preceptor.errors import Problem


@dataclass(frozen=True, slots=True)
class WrongRow:
    """What is wrong with a row; `code` names the kind. `what` and `fix` repeat no cell: `shown` is `what` with it."""

    code: str
    what: str
    fix: str
    shown: str = ""
    near: str = ""
    """The label that was meant, perhaps."""

    def problem(self, where: str) -> Problem:
        """It, as it is told to whoever has the file."""
        return Problem(where, self.shown or self.what, f"{self.near}{self.fix}")


@dataclass(frozen=True, slots=True)
class RefusedRow(Problem):
    """A row left out: a problem as it is told, and what may be kept of it.

    `table` is the file's name, `counted` what the number counts: rows, or cases.
    """

    table: str
    counted: str
    number: int
    wrong: WrongRow


def left_out(refused: Sequence[RefusedRow]) -> list[Finding]:
    """One finding for each kind of thing that is wrong, with the numbers of the rows as its ids."""
    alike: dict[tuple[str, str, str, str], list[str]] = {}
    for row in refused:
        wrong = row.wrong
        kind = (wrong.code, f"{row.table}, {row.counted}s", wrong.what, wrong.fix)
        alike.setdefault(kind, []).append(str(row.number))
    return [
        Finding(code, "warning", where, what, fix, tuple(numbers))
        for (code, where, what, fix), numbers in alike.items()
    ]
