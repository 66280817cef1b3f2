"""Rows that cannot become examples, and the preflight findings that summarise them."""

from collections.abc import Sequence
from dataclasses import dataclass

from preceptor.data._finding import Finding
from preceptor.errors import Problem


@dataclass(frozen=True, slots=True)
class RowProblem:
    """A problem of one row; `code` names its kind. `what` and `fix` quote no cell; `detail` is `what` with the cell."""

    code: str
    what: str
    fix: str
    detail: str = ""
    near: str = ""
    """A suggestion: the nearest known label."""

    def problem(self, where: str) -> Problem:
        """The problem with its details, for the user who has the file."""
        return Problem(where, self.detail or self.what, f"{self.near}{self.fix}")


@dataclass(frozen=True, slots=True)
class InvalidRow(Problem):
    """A row that was left out, with its problem. `table` is the file's name; `number` counts rows or cases (`unit`)."""

    table: str
    unit: str
    number: int
    wrong: RowProblem


def invalid_row_findings(refused: Sequence[InvalidRow]) -> list[Finding]:
    """One finding per kind of problem, with row numbers as its ids."""
    min_cosine: dict[tuple[str, str, str, str], list[str]] = {}
    for row in refused:
        wrong = row.wrong
        kind = (wrong.code, f"{row.table}, {row.unit}s", wrong.what, wrong.fix)
        min_cosine.setdefault(kind, []).append(str(row.number))
    return [
        Finding(code, "warning", where, what, fix, tuple(numbers))
        for (code, where, what, fix), numbers in min_cosine.items()
    ]
