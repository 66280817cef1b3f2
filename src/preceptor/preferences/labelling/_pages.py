"""The pages as HTML. Everything that comes from cases, models or raters is escaped, and made visible first."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import jinja2

from preceptor.preferences.labelling._differences import Piece, differences
from preceptor.preferences.labelling._form import LONGEST_ANSWER, LONGEST_NOTE, MOST_COUNTED, MOST_POINTS, SIDES
from preceptor.preferences.labelling._items import COUNTS, Item
from preceptor.preferences.labelling._turns import Turn
from preceptor.preferences.labelling._visible import visible
from preceptor.preferences.labelling._votes import Order, Vote

NAMES = ("Answer 1", "Answer 2")
"""What raters call the answers: on a phone there is no left and right."""

_KEYS = "123456789abcfghijklmopqrtvwxyz"
"""Keys of a gold item's labels; d, e, n, s and u have another meaning."""

_POINTS = ("very poor", "poor", "fair", "good", "very good")


@dataclass(frozen=True, slots=True)
class Choice:
    """A button: what it sends, what stands on it, and what more where there is room, its key, if chosen before."""

    value: str
    label: str
    more: str
    key: str
    chosen: bool


@dataclass(frozen=True, slots=True)
class Shown:
    """An answer as it stands on the page: where, what it is called, its text in pieces, its scales."""

    side: str
    name: str
    pieces: tuple[Piece, ...]
    scales: list["Scale"]


@dataclass(frozen=True, slots=True)
class Scale:
    """What is asked of one answer: points with their words, or, without points, a count up to `most`."""

    field: str
    title: str
    points: list[tuple[int, str]]
    most: int
    given: int | None


def fill(template: str, **values: Any) -> str:
    """A page as HTML."""
    return _environment().get_template(template).render(values)


def item_values(turn: Turn) -> dict[str, Any]:
    """What the template of an item shows: nothing in it tells which model wrote which answer."""
    item, before = turn.item, turn.before
    return {
        "item": item,
        "position": turn.position,
        "repeat": turn.repeat,
        "before": before,
        "answers": _answers(item, turn.order, before),
        "choices": _choices(item, turn.order, before),
        "id": secrets.token_hex(16),
        "longest_note": LONGEST_NOTE,
        "longest_answer": LONGEST_ANSWER,
    }


def said(choice: str | None, order: Order) -> str:
    """A choice in words, of answers that stand in this order."""
    words = {order[0]: f"{NAMES[0]} is better", order[1]: f"{NAMES[1]} is better", None: "skipped"}
    return {**words, "tie": "About the same", "both_bad": "Both are bad"}.get(choice, str(choice))


def _answers(item: Item, order: Order, before: Vote | None) -> list[Shown]:
    if not item.answers:
        return []
    texts = dict(zip("ab", (visible(answer.text) for answer in item.answers), strict=True))
    pieces = differences(texts[order[0]], texts[order[1]])
    given = before.scores if before else {}
    return [
        Shown(side, name, piece, [_scale(scale, side, given.get(scale, {}).get(answer)) for scale in item.scales])
        for side, name, piece, answer in zip(SIDES, NAMES, pieces, order, strict=True)
    ]


def _scale(scale: str, side: str, given: int | None) -> Scale:
    counted = scale in COUNTS
    points = [] if counted else list(enumerate(_POINTS, start=1))
    return Scale(f"{scale}-{side}", _title(scale), points, MOST_COUNTED if counted else MOST_POINTS, given)


def _choices(item: Item, order: Order, before: Vote | None) -> list[Choice]:
    earlier = before.choice if before else None
    if item.answers:
        first, second = NAMES
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
    """A field's name as words."""
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
    filters: Mapping[str, Any] = {"visible": visible, "title_of": _title, "said": said, "hours": hours}
    environment.filters |= filters
    return environment


def hours(seconds: float) -> str:
    """A time in the largest unit that suits it."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
