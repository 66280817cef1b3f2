"""Markdown tables, and how a missing value stands in one."""

from collections.abc import Iterable, Sequence

from preceptor.evidence import number

NONE = "-"


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """The lines of a Markdown table."""
    cells = [list(header), ["---"] * len(header), *rows]
    return ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in cells]


def value_or_dash(value: float | None) -> str:
    """Two decimals, or a dash."""
    return NONE if value is None else number(value)
