"""A rater, and a vote: what they said of one item, and which answer stands when several raters have spoken."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

Order = Literal["ab", "ba"]
Role = Literal["rater", "lead"]
PREFERENCES = ("a", "b", "tie", "both_bad")


@dataclass(frozen=True, slots=True)
class Rater:
    """Someone with a link of their own; `added` is when they first had one (UTC)."""

    name: str
    role: Role
    added: str


@dataclass(frozen=True, slots=True)
class Vote:
    """What one rater said of one item. Its `repr` shows neither notes nor answers.

    To record one, `item`, `rater` and `choice` are enough; the store fills in `seq`, `time` and `versions`.
    """

    item: str
    rater: str
    choice: str | None = field(repr=False)
    """`a`, `b`, `tie`, `both_bad`; of gold a label or free text; None: skipped."""
    order: Order = "ab"
    """Which answer stood left (first, on a phone)."""
    scores: dict[str, dict[str, int]] = field(default_factory=dict)
    """Scale -> `a` and `b` -> points, or how many."""
    note: str = field(default="", repr=False)
    edited: str | None = field(default=None, repr=False)
    """The ideal answer, as the rater would have written it."""
    seconds: float = 0.0
    """How long the item was before the rater's eyes."""
    repeat: bool = False
    """Whether this rater had judged the item before, and was asked again to see whether they say the same."""
    id: str = ""
    """Made when the page is shown: the same vote sent twice is stored once. Drawn when empty."""
    seq: int = 0
    time: str = ""
    """UTC, ISO 8601."""
    versions: tuple[str, ...] = ()
    """SHA-256 of answers a and b."""
    role: Role = "rater"
    """A lead's vote settles what raters disagree about."""
    undone: bool = False


def majority(choices: Iterable[str]) -> str | None:
    """What more than half of the raters chose; None when no choice has that many."""
    choices = list(choices)  # counted twice
    counts = Counter(choices)
    most = counts.most_common(1)
    return most[0][0] if most and 2 * most[0][1] > counts.total() else None
