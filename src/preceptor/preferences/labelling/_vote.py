"""Raters, their votes, and the majority of votes."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

Order = Literal["ab", "ba"]
Role = Literal["rater", "lead"]
PREFERENCES = ("a", "b", "tie", "both_bad")


@dataclass(frozen=True, slots=True)
class Rater:
    """A rater or lead; `added` is when they got their first link (UTC)."""

    name: str
    role: Role
    added: str


@dataclass(frozen=True, slots=True)
class Vote:
    """One rater's vote on one item. Its `repr` shows neither notes nor answers.

    To record one, `item`, `rater` and `choice` suffice; the store sets `seq`, `time` and `versions`.
    """

    item: str
    rater: str
    choice: str | None = field(repr=False)
    """`a`, `b`, `tie`, `both_bad`; of gold a label or free text; None: skipped."""
    order: Order = "ab"
    """The order in which the answers were shown."""
    scores: dict[str, dict[str, int]] = field(default_factory=dict)
    """Scale -> `a` and `b` -> points, or a count."""
    note: str = field(default="", repr=False)
    edited: str | None = field(default=None, repr=False)
    """The ideal answer as written by the rater."""
    seconds: float = 0.0
    """How long the item was shown."""
    repeat: bool = False
    """Whether this is a repeat, which measures test-retest consistency."""
    id: str = ""
    """Idempotency key, created with the page; random when empty."""
    seq: int = 0
    time: str = ""
    """UTC, ISO 8601."""
    versions: tuple[str, ...] = ()
    """SHA-256 of answers a and b."""
    role: Role = "rater"
    """A lead's vote adjudicates a dispute."""
    undone: bool = False


def majority(choices: Iterable[str]) -> str | None:
    """The choice of more than half of the raters; None without a majority."""
    choices = list(choices)  # iterated twice
    counts = Counter(choices)
    most = counts.most_common(1)
    return most[0][0] if most and 2 * most[0][1] > counts.total() else None
