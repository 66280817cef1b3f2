"""Counts of few patients are not shown: "<5" stands in their place, and others too where "<5" could be worked out.

For pages that may leave the house (Griffiths et al., Handbook on Statistical Disclosure Control for Outputs, 2019, on
primary and secondary suppression). A reader is thought to know how many cases each label has, how many answers were
right, and how many could not be read, for the page or another table says so.
"""

from collections.abc import Collection, Mapping, Sequence

from preceptor.report._numbers import count
from preceptor.report._results import Paired

FEWEST_SHOWN = 5
SMALL = f"<{FEWEST_SHOWN}"
HIDDEN = "\N{BULLET}"
"""Stands for a count that is not small, but would give a small one away."""

_PAIRED = ("both_right", "only_a", "only_b", "neither")


def shown_matrix(matrix: Sequence[Sequence[int]]) -> list[list[str]]:
    """A confusion matrix, [labels][labels + 1], as it may be printed.

    A row that would give a small count away is hidden whole; then, as long as the diagonal or the last column would,
    the row with the fewest cases of those still shown.
    """
    hidden = {row for row, counts in enumerate(matrix) if _gives_away(counts)}
    lines = [counts[row] for row, counts in enumerate(matrix)], [counts[-1] for counts in matrix]
    while any(_gives_away(line, hidden) for line in lines) and len(hidden) < len(matrix):
        hidden.add(min((sum(counts), row) for row, counts in enumerate(matrix) if row not in hidden)[1])
    return [[HIDDEN] * len(counts) if row in hidden else _shown(counts) for row, counts in enumerate(matrix)]


def shown_pairs(paired: Paired) -> dict[str, str]:
    """The four counts of a paired table as they may be printed, by name; what each arm got right is known."""
    counts = [getattr(paired, name) for name in _PAIRED]
    small = [n < FEWEST_SHOWN for n in counts]
    if not any(small):
        return dict(zip(_PAIRED, map(count, counts), strict=True))
    shifts = range(-FEWEST_SHOWN, FEWEST_SHOWN + 1)
    tables = [[n + sign * shift for n, sign in zip(counts, (1, -1, -1, 1), strict=True)] for shift in shifts]
    possible = [table for table in tables if min(table) >= 0 and [n < FEWEST_SHOWN for n in table] == small]
    if len(possible) < 2:
        return dict.fromkeys(_PAIRED, HIDDEN)
    return {name: SMALL if few else HIDDEN for name, few in zip(_PAIRED, small, strict=True)}


def shown_labels(counts: Mapping[str, int]) -> dict[str, str]:
    """How many cases each label has, as it may be printed; their sum is known."""
    if _gives_away(list(counts.values())):
        return dict.fromkeys(counts, HIDDEN)
    return dict(zip(counts, _shown(list(counts.values())), strict=True))


def shown_count(n: int) -> str:
    """One count as it may be printed."""
    return SMALL if n < FEWEST_SHOWN else count(n)


def _shown(counts: Sequence[int]) -> list[str]:
    return [shown_count(n) for n in counts]


def _gives_away(counts: Sequence[int], hidden: Collection[int] = ()) -> bool:
    """Whether the known sum leaves one choice for a small count that is not 0; at `hidden` places nothing is shown."""
    most = [sum(counts) if place in hidden else FEWEST_SHOWN - 1 for place in range(len(counts))]
    unknown = [place for place, n in enumerate(counts) if n < FEWEST_SHOWN or place in hidden]
    rest = sum(counts[place] for place in unknown)
    room = sum(most[place] for place in unknown)
    return any(
        0 < counts[place] < FEWEST_SHOWN and max(0, rest - (room - most[place])) == min(most[place], rest)
        for place in unknown
    )
