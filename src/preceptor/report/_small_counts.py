"""Counts of few patients are not shown: "<5" stands in their place, and others too where "<5" could be worked out.

For pages that may leave the house (Griffiths et al., Handbook on Statistical Disclosure Control for Outputs, 2019, on
primary and secondary suppression). What a reader is thought to know: how many cases each label has, how many answers
were right and how many could not be read, and all that is printed.

Every count lies in a row and in a group whose sums are known, so it is the flow along an edge between two nodes. It can
be worked out just when no circle of edges through it could carry one case more and one less in turn (Gusfield, A graph
theoretic approach to statistical data security, SIAM J Comput 1988;17:552-571).
"""

from collections.abc import Callable, Hashable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from typing import TypeVar

from preceptor.report._numbers import count
from preceptor.study.results.cell_schema import Confusion
from preceptor.study.results.contrast_schema import Paired

FEWEST_SHOWN = 5
SMALL = f"<{FEWEST_SHOWN}"
HIDDEN = "\N{BULLET}"
"""Stands for a count that would give a small one away."""

Show = Callable[[int], str]
"""A count as it may be printed."""
Place = TypeVar("Place", bound=Hashable)
"""Names a count."""
Ends = tuple[str, str]
"""The row and the group that a count lies in."""


def shown_matrix(confusion: Confusion) -> list[list[str]]:
    """A confusion matrix, [labels][labels + 1], as it may be printed."""
    last = len(confusion.labels)
    counts = {(row, column): n for row, entries in enumerate(confusion.matrix) for column, n in enumerate(entries)}
    groups = {True: "right", False: "wrong"}
    ends = {(r, c): (f"label {r}", "unreadable" if c == last else groups[r == c]) for r, c in counts}
    shown = _shown(counts, ends)
    return [[shown[row, column] for column in range(last + 1)] for row in range(last)]


def shown_pairs(paired: Paired) -> dict[str, str]:
    """The four counts of a paired table as they may be printed, by name."""
    ends = {
        "both_right": ("a right", "b right"),
        "only_a": ("a right", "b wrong"),
        "only_b": ("a wrong", "b right"),
        "neither": ("a wrong", "b wrong"),
    }
    return _shown(paired.model_dump(), ends)


def shown_labels(counts: Mapping[str, int]) -> dict[str, str]:
    """How many cases each label has, as it may be printed."""
    return _shown(counts, dict.fromkeys(counts, ("cases", "all")))


def shown_count(n: int) -> str:
    """One count as it may be printed."""
    return SMALL if n < FEWEST_SHOWN else count(n)


def _shown(counts: Mapping[Place, int], ends: Mapping[Place, Ends]) -> dict[Place, str]:
    """Counts as they may be printed: small ones never, and of the others as few hidden as it takes, small first."""
    hidden: set[Place] = set()
    while (given_away := next(_given_away(counts, ends, hidden), None)) is not None and len(hidden) < len(counts):
        near = set(ends[given_away])
        hidden.add(
            min(
                (place for place in counts if place not in hidden),
                key=lambda place: (counts[place] < FEWEST_SHOWN, not near & set(ends[place]), counts[place]),
            )
        )
    return {place: HIDDEN if place in hidden else shown_count(n) for place, n in counts.items()}


def _given_away(counts: Mapping[Place, int], ends: Mapping[Place, Ends], hidden: AbstractSet[Place]) -> Iterator[Place]:
    """Small counts, other than 0, that can be worked out."""
    more, less = set[Place](), set[Place]()  # counts that may be one larger, one smaller, for all that is printed
    for place, n in counts.items():
        if n < FEWEST_SHOWN or place in hidden:
            if n < FEWEST_SHOWN - 1 or place in hidden:
                more.add(place)
            if n > (FEWEST_SHOWN if n >= FEWEST_SHOWN else 0):
                less.add(place)
    for place, n in counts.items():
        row, group = ends[place]
        if 0 < n < FEWEST_SHOWN:
            free = place in more and _leads(group, row, ends, more - {place}, less - {place})
            free = free or (place in less and _leads(row, group, ends, more - {place}, less - {place}))
            if not free:
                yield place


def _leads(
    start: str, goal: str, ends: Mapping[Place, Ends], more: AbstractSet[Place], less: AbstractSet[Place]
) -> bool:
    """Whether cases can be moved so that one more leaves `start` and arrives at `goal`, all other sums as they are."""
    steps = {(ends[place][0], ends[place][1]) for place in more} | {(ends[place][1], ends[place][0]) for place in less}
    reached = {start}
    while further := {b for a, b in steps if a in reached} - reached:
        reached |= further
    return goal in reached
