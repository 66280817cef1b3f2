"""Items for raters: a case with two answers or none, and a question."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Kind = Literal["pair", "score", "gold"]
COUNTS = ("omissions", "fabrications")
"""Scales that are counts; all others are five-point Likert scales."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A model's answer and its `source` (`sft seed 0`), hidden from raters. Its `repr` shows no text."""

    text: str = field(repr=False)
    source: str

    @property
    def version(self) -> str:
        """SHA-256 of the text in hex, stored with each vote as provenance."""
        return hashlib.sha256(self.text.encode(errors="surrogatepass")).hexdigest()


@dataclass(frozen=True, slots=True)
class Item:
    """One case for raters. Its `repr` shows no text.

    `kind`: `pair` asks which of two answers to a training case is better; `score` the same for held-out cases, with
    ratings on `scales`; `gold` has no answers and asks for one of `labels`, or for text if there are none. `case` holds
    (field name, text); `answers` are a and b, shown in a random order.
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


def from_row(row: Mapping[str, Any]) -> Item:
    """An item from its JSON object, which is its `asdict`."""
    return Item(
        **{name: row[name] for name in ("id", "kind", "example_id", "group", "question")},
        case=tuple((name, text) for name, text in row["case"]),
        answers=tuple(Answer(**answer) for answer in row["answers"]),
        labels=tuple(row["labels"]),
        scales=tuple(row["scales"]),
    )
