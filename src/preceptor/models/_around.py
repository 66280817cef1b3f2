"""A window of a text about one place, as token ids, and the token that begins there."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from preceptor.models._chat_template import text_tokenizer
from preceptor.models._tokens import family_of


@dataclass(frozen=True, slots=True, repr=False)
class Window:
    """ids: token ids, with those that the model has around a text. at: the place in `ids` of the token that is read."""

    ids: list[int]
    at: int


def around(tokenizer: Any, text: str, places: Sequence[int], length: int) -> list[Window | None]:
    """A window for each place, a character of the text; None where the tokenizer makes no token of that character.

    The token is the one that holds the character, by the tokenizer's own offsets: neither words nor the tokens in front
    of a text move it. A window has at most `length` tokens, at least one of them of the text. It lies about its token
    and moves along at the text's ends, so that the token is always in it; a model that sees to the left only is given
    what it can see. A string such as `[SEP]` in the text is tokenised as plain text.
    """
    family = family_of(tokenizer)
    front, back = family.ends(tokenizer)
    encoded = text_tokenizer(tokenizer).encode(text, add_special_tokens=False)
    room = max(1, length - len(front) - len(back))
    found: list[Window | None] = []
    for place in places:
        token = encoded.char_to_token(place)
        if token is None:
            found.append(None)
            continue
        start, end = _span(token, len(encoded.ids), room, leftwards=family.WRITES)
        found.append(Window([*front, *encoded.ids[start:end], *back], len(front) + token - start))
    return found


def _span(token: int, count: int, room: int, *, leftwards: bool) -> tuple[int, int]:
    """The tokens of a text, of which it has `count`, that a window of `room` about one of them holds."""
    if leftwards:
        return max(0, token + 1 - room), token + 1
    start = max(0, min(token - room // 2, count - room))
    return start, min(count, start + room)
