"""What is put before a rater: a case, two answers to it or none, and what is asked of them."""

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Kind = Literal["pair", "score", "gold"]
COUNTS = ("omissions", "fabrications")
"""Scales that are counted; every other scale has the five points of the paper's Likert scale."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a model wrote, and which one (`sft seed 0`): raters never see `source`. Its `repr` shows no text."""

    text: str = field(repr=False)
    source: str

    @property
    def version(self) -> str:
        """SHA-256 of the text, as 64 hex digits: a vote names what it was given on."""
        return hashlib.sha256(self.text.encode(errors="surrogatepass")).hexdigest()


@dataclass(frozen=True, slots=True)
class Item:
    """One case as a rater meets it. Its `repr` shows no text.

    `kind`: `pair` has two answers to training cases and asks which is better; `score` has two answers to held-out
    cases and asks for `scales` too; `gold` has no answers and asks for one of `labels`, or for
    text where there are none. `case` holds (name of field, text); `answers` are a and b, in an order no rater sees.
    """

    id: str
    kind: Kind
    example_id: str
    group: str
    case: tuple[tuple[str, str], ...] = field(repr=False)
    question: str
    answers: tuple[Answer, ...] = ()
    labels: tuple[str, ...] = ()
    scales: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if len(self.answers) != (0 if self.kind == "gold" else 2):
            raise ValueError(f"item {self.id}: {self.kind} with {len(self.answers)} answers")


def to_row(item: Item) -> dict[str, Any]:
    """An item as JSON keeps it."""
    return asdict(item)


def from_row(row: Mapping[str, Any]) -> Item:
    """The item that `to_row` wrote."""
    return Item(
        **{name: row[name] for name in ("id", "kind", "example_id", "group", "question")},
        case=tuple((name, text) for name, text in row["case"]),
        answers=tuple(Answer(**answer) for answer in row["answers"]),
        labels=tuple(row["labels"]),
        scales=tuple(row["scales"]),
    )
