"""A text in several pieces that are read each by itself, such as snippets of a note, as one text.

Between two pieces stands a control character that no text has which was read: it is taken out of data and requests.
"""

from collections.abc import Iterable

SEPARATOR = "\x1e"
"""Unicode's record separator."""


def join_pieces(pieces: Iterable[str]) -> str:
    """The pieces as one text, which `pieces_of` parts again."""
    return SEPARATOR.join(map(without_separator, pieces))


def pieces_of(text: str) -> list[str]:
    """The pieces of a text, those without a word left out; a text that was not joined is its only one."""
    if SEPARATOR not in text:
        return [text]
    return [piece for piece in text.split(SEPARATOR) if piece.strip()] or [""]


def as_lines(text: str) -> str:
    """A text with each piece on a line of its own, for who reads it whole; one that was not joined as it is."""
    return "\n".join(pieces_of(text))


def without_separator(text: str) -> str:
    """A text as it is read: the same characters in the same places, with a space for each separator."""
    return text.replace(SEPARATOR, " ")
