"""Items for raters: a case with two answers or none, and a question; made from an example, read from a row."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from preceptor.tasks import Example, Task

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


def item_id(task: Task, example: Example) -> str:
    """The item's id in a store: unique even if two tasks share a case."""
    return f"{task.name}/{example.id}"


def is_of(task: Task, item: Item) -> bool:
    """Whether the item belongs to this task."""
    return item.id.startswith(f"{task.name}/")


def case_fields(task: Task, example: Example) -> tuple[tuple[str, str], ...]:
    """(field name, text) in the task's order; for chat examples (role, text) of each message."""
    if example.prompt is not None:
        return tuple((message["role"], message["content"]) for message in example.prompt)
    return tuple((name, example.fields[name]) for name in task.shown_fields if name in example.fields)


def make_item(
    task: Task, example: Example, kind: Kind, answers: Sequence[Answer] = (), scales: Sequence[str] = ()
) -> Item:
    """The item of a case, with the task's question, and its labels if raters are to give the answer."""
    return Item(
        item_id(task, example),
        kind,
        example.id,
        example.group,
        case_fields(task, example),
        task.question,
        tuple(answers),
        task.labels if kind == "gold" else (),
        tuple(scales),
    )
