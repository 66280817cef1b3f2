"""What a rater sent, read into a vote. Nothing of it is trusted, and none of it is said in an error."""

import math
import re
from collections.abc import Mapping
from urllib.parse import parse_qsl

from preceptor.preferences.labelling._items import COUNTS, Item
from preceptor.preferences.labelling._turns import order_for
from preceptor.preferences.labelling._votes import Order, Vote

LONGEST_NOTE = 5_000
LONGEST_ANSWER = 50_000
MOST_POINTS = 5
MOST_COUNTED = 99
_FIELDS = 40
_LONGEST_TURN = 24 * 3600
SIDES = ("left", "right")


class FormError(ValueError):
    """What was sent cannot be a vote; the message is for the rater."""


def read_form(body: bytes) -> dict[str, str]:
    """The fields of a form as browsers send it; FormError when it is something else."""
    try:
        pairs = parse_qsl(body.decode("ascii"), keep_blank_values=True, max_num_fields=_FIELDS)
    except ValueError as error:
        raise FormError("This is not a form.") from error
    return dict(pairs)


def read_id(form: Mapping[str, str]) -> str:
    """What names this page's answer, so that it is stored once however often it is sent."""
    id = form.get("id", "")
    if not re.fullmatch(r"[0-9a-f]{32}", id):
        raise FormError("This page is too old. Load it again.")
    return id


def read_position(said: str) -> int | None:
    """The number of an item in the round; None when it is none."""
    return int(said) if re.fullmatch(r"[0-9]{1,9}", said) else None  # Python refuses numbers of thousands of digits


def read_vote(form: Mapping[str, str], item: Item, rater: str, seed: int) -> Vote:
    """The rater's vote on `item`. FormError says what is missing or out of range."""
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
        note=_text(form, "note", LONGEST_NOTE),
        edited=(_text(form, "edited", LONGEST_ANSWER) or None) if item.answers else None,
        seconds=_seconds(form.get("seconds", "")),
        repeat=repeat,
        id=read_id(form),
    )


def _choice(form: Mapping[str, str], item: Item, order: Order) -> str | None:
    said = form.get("choice", "")
    if said == "skip":
        return None
    if item.answers:
        meant = {"left": order[0], "right": order[1], "tie": "tie", "both_bad": "both_bad"}
    elif item.labels:
        meant = {str(at): label for at, label in enumerate(item.labels)}
    else:
        meant = {"text": _text(form, "answer", LONGEST_ANSWER)}
    if not meant.get(said):
        raise FormError("Choose an answer, or skip this case.")
    return meant[said]


def _scores(form: Mapping[str, str], item: Item, order: Order) -> dict[str, dict[str, int]]:
    return {
        scale: {
            answer: _points(form.get(f"{scale}-{side}", ""), scale) for side, answer in zip(SIDES, order, strict=True)
        }
        for scale in item.scales
    }


def _points(said: str, scale: str) -> int:
    least, most = (0, MOST_COUNTED) if scale in COUNTS else (1, MOST_POINTS)
    if not re.fullmatch(r"[0-9]{1,2}", said) or not least <= int(said) <= most:
        raise FormError(f"Give {scale} of both answers, from {least} to {most}.")
    return int(said)


def _text(form: Mapping[str, str], name: str, longest: int) -> str:
    text = form.get(name, "").replace("\r\n", "\n").strip()
    if len(text) > longest:
        raise FormError(f"This text is longer than {longest:,} characters. Shorten it.")
    return text


def _seconds(said: str) -> float:
    """0 when the browser did not say."""
    try:
        seconds = float(said)
    except ValueError:
        return 0.0
    return round(min(max(seconds, 0.0), _LONGEST_TURN), 1) if math.isfinite(seconds) else 0.0
