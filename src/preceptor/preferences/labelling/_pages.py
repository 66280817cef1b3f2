"""HTML rendering. Text from cases, models and raters is escaped, and control characters are made visible."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import jinja2

from preceptor.preferences.labelling._assignment import Assignment
from preceptor.preferences.labelling._differences import Piece, differences
from preceptor.preferences.labelling._form import MAX_ANSWER_LENGTH, MAX_COUNT, MAX_NOTE_LENGTH, MAX_POINTS, SIDES
from preceptor.preferences.labelling._items import COUNTS, Item
from preceptor.preferences.labelling._visible import visible
from preceptor.preferences.labelling._vote import Order, Vote

ANSWER_NAMES = ("Answer 1", "Answer 2")
"""Position-independent names: on a phone there is no left and right."""

_KEYS = "123456789abcfghijklmopqrtvwxyz"
"""Keyboard shortcuts of a gold item's labels; d, e, n, s and u are taken."""

_POINTS = ("very poor", "poor", "fair", "good", "very good")


@dataclass(frozen=True, slots=True)
class Choice:
    """A button: form value, label, extra text on wide screens, keyboard shortcut, and whether it is preselected."""

    value: str
    label: str
    more: str
    key: str
    chosen: bool


@dataclass(frozen=True, slots=True)
class ShownAnswer:
    """An answer on the page: side, name, text in diff pieces, scales."""

    side: str
    name: str
    pieces: tuple[Piece, ...]
    scales: list["Scale"]


@dataclass(frozen=True, slots=True)
class Scale:
    """A rating scale of one answer: labelled points, or, without points, a count up to `most`."""

    field: str
    title: str
    points: list[tuple[int, str]]
    most: int
    given: int | None


def fill(template: str, **values: Any) -> str:
    """Render a template."""
    return _environment().get_template(template).render(values)


def item_values(assignment: Assignment) -> dict[str, Any]:
    """The template values of an item, blinded: nothing reveals which model wrote which answer."""
    item, before = assignment.item, assignment.before
    return {
        "item": item,
        "position": assignment.position,
        "repeat": assignment.repeat,
        "before": before,
        "answers": _answers(item, assignment.order, before),
        "choices": _choices(item, assignment.order, before),
        "id": secrets.token_hex(16),
        "longest_note": MAX_NOTE_LENGTH,
        "longest_answer": MAX_ANSWER_LENGTH,
    }


def choice_text(choice: str | None, order: Order) -> str:
    """A choice in words, for answers in this order."""
    words = {order[0]: f"{ANSWER_NAMES[0]} is better", order[1]: f"{ANSWER_NAMES[1]} is better", None: "skipped"}
    return {**words, "tie": "About the same", "both_bad": "Both are bad"}.get(choice, str(choice))


def _answers(item: Item, order: Order, before: Vote | None) -> list[ShownAnswer]:
    if not item.answers:
        return []
    texts = dict(zip("ab", (visible(answer.text) for answer in item.answers), strict=True))
    pieces = differences(texts[order[0]], texts[order[1]])
    given = before.scores if before else {}
    return [
        ShownAnswer(side, name, piece, [_scale(scale, side, given.get(scale, {}).get(answer)) for scale in item.scales])
        for side, name, piece, answer in zip(SIDES, ANSWER_NAMES, pieces, order, strict=True)
    ]


def _scale(scale: str, side: str, given: int | None) -> Scale:
    counted = scale in COUNTS
    points = [] if counted else list(enumerate(_POINTS, start=1))
    return Scale(f"{scale}-{side}", _title(scale), points, MAX_COUNT if counted else MAX_POINTS, given)


def _choices(item: Item, order: Order, before: Vote | None) -> list[Choice]:
    earlier = before.choice if before else None
    if item.answers:
        first, second = ANSWER_NAMES
        return [
            Choice("left", first, "is better", "1", earlier == order[0]),
            Choice("right", second, "is better", "2", earlier == order[1]),
            Choice("tie", "About the same", "", "3", earlier == "tie"),
            Choice("both_bad", "Both are bad", "", "4", earlier == "both_bad"),
        ]
    return [
        Choice(str(at), visible(label), "", _KEYS[at] if at < len(_KEYS) else "", label == earlier)
        for at, label in enumerate(item.labels)
    ]


def _title(name: str) -> str:
    """A field name as a title."""
    words = visible(name).replace("_", " ").strip()
    return words[:1].upper() + words[1:]


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("preceptor.preferences.labelling", "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    filters: Mapping[str, Any] = {"visible": visible, "title_of": _title, "choice_text": choice_text, "hours": hours}
    environment.filters |= filters
    return environment


def hours(seconds: float) -> str:
    """A duration in a suitable unit."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
