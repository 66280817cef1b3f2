"""Parsing and validation of a rater's form into a vote. Input is untrusted and never quoted in errors."""

import math
import re
from collections.abc import Mapping
from urllib.parse import parse_qsl

from preceptor.preferences.labelling._assignment import order_for
from preceptor.preferences.labelling._items import COUNTS, Item
from preceptor.preferences.labelling._vote import Order, Vote

MAX_NOTE_LENGTH = 5_000
MAX_ANSWER_LENGTH = 50_000
MAX_POINTS = 5
MAX_COUNT = 99
_MAX_FIELDS = 40
_MAX_SECONDS = 24 * 3600
SIDES = ("left", "right")


class FormError(ValueError):
    """An invalid form; the message is for the rater."""


def read_form(body: bytes) -> dict[str, str]:
    """The fields of a URL-encoded form; FormError for anything else."""
    try:
        pairs = parse_qsl(body.decode("ascii"), keep_blank_values=True, max_num_fields=_MAX_FIELDS)
    except ValueError as error:
        raise FormError("This is not a form.") from error
    return dict(pairs)


def read_id(form: Mapping[str, str]) -> str:
    """The idempotency key of this page's answer."""
    id = form.get("id", "")
    if not re.fullmatch(r"[0-9a-f]{32}", id):
        raise FormError("This page is too old. Load it again.")
    return id


def read_position(text: str) -> int | None:
    """The position of an item in the round; None if it is not a number."""
    return int(text) if re.fullmatch(r"[0-9]{1,9}", text) else None  # int() limits the number of digits


def read_vote(form: Mapping[str, str], item: Item, rater: str, seed: int) -> Vote:
    """The rater's vote on `item`. FormError names what is missing or out of range."""
    repeat = form.get("repeat") == "1"
    order = order_for(seed, rater, item.id, repeat)
    choice = _choice(form, item, order)
    skipped = choice is None
    return Vote(
        item.id,
        rater,
        choice,
        order,
        scores={} if skipped else _scores(form, item, order),
        note=_text(form, "note", MAX_NOTE_LENGTH),
        edited=(_text(form, "edited", MAX_ANSWER_LENGTH) or None) if item.answers else None,
        seconds=_seconds(form.get("seconds", "")),
        repeat=repeat,
        id=read_id(form),
    )


def _choice(form: Mapping[str, str], item: Item, order: Order) -> str | None:
    text = form.get("choice", "")
    if text == "skip":
        return None
    if item.answers:
        choice_of = {"left": order[0], "right": order[1], "tie": "tie", "both_bad": "both_bad"}
    elif item.labels:
        choice_of = {str(at): label for at, label in enumerate(item.labels)}
    else:
        choice_of = {"text": _text(form, "answer", MAX_ANSWER_LENGTH)}
    if not choice_of.get(text):
        raise FormError("Choose an answer, or skip this case.")
    return choice_of[text]


def _scores(form: Mapping[str, str], item: Item, order: Order) -> dict[str, dict[str, int]]:
    return {
        scale: {
            answer: _points(form.get(f"{scale}-{side}", ""), scale) for side, answer in zip(SIDES, order, strict=True)
        }
        for scale in item.scales
    }


def _points(text: str, scale: str) -> int:
    low, high = (0, MAX_COUNT) if scale in COUNTS else (1, MAX_POINTS)
    if not re.fullmatch(r"[0-9]{1,2}", text) or not low <= int(text) <= high:
        raise FormError(f"Give {scale} of both answers, from {low} to {high}.")
    return int(text)


def _text(form: Mapping[str, str], name: str, max_length: int) -> str:
    text = form.get(name, "").replace("\r\n", "\n").strip()
    if len(text) > max_length:
        raise FormError(f"This text is longer than {max_length:,} characters. Shorten it.")
    return text


def _seconds(text: str) -> float:
    """Seconds clipped to a day; 0 if missing or invalid."""
    try:
        seconds = float(text)
    except ValueError:
        return 0.0
    return round(min(max(seconds, 0.0), _MAX_SECONDS), 1) if math.isfinite(seconds) else 0.0
