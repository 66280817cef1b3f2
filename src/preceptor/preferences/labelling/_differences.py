"""Where two answers differ, word by word."""

import re
from collections.abc import Iterator
from difflib import SequenceMatcher
from functools import lru_cache

Piece = tuple[str, bool]
"""A stretch of an answer, and whether the other answer lacks it."""

LONGEST = 4000
"""Words an answer may have for its differences to be marked: comparing takes the product of both."""
LEAST_SHARED = 0.2
"""Where less than this share of both is common, everything would be marked, which helps nobody."""

# A number is one word with its point and its per cent: of 4.2 and 2.4, no part is alike.
_TOKEN = re.compile(r"\d+(?:[.,:/]\d+)*%?|\w+|[^\w\s]|\s+")


@lru_cache(maxsize=512)
def differences(left: str, right: str) -> tuple[tuple[Piece, ...], tuple[Piece, ...]]:
    """Both answers as pieces. Nothing is marked in answers that are too long or have hardly a word in common."""
    tokens = _TOKEN.findall(left), _TOKEN.findall(right)
    words = [[token for token in side if not token.isspace()] for side in tokens]
    if max(map(len, words)) > LONGEST:
        return ((left, False),), ((right, False),)
    matcher = SequenceMatcher(None, words[0], words[1])
    if matcher.ratio() < LEAST_SHARED and min(map(len, words)) > 3:
        return ((left, False),), ((right, False),)
    blocks = matcher.get_matching_blocks()
    shared = [{at for block in blocks for at in range(block[side], block[side] + block.size)} for side in (0, 1)]
    return tuple(_pieces(tokens[0], shared[0])), tuple(_pieces(tokens[1], shared[1]))


def _pieces(tokens: list[str], shared: set[int]) -> Iterator[Piece]:
    """Neighbouring tokens put together; space between two marked words is marked with them."""
    text, marked, space, word = "", False, "", 0
    for token in tokens:
        if token.isspace():
            space += token
            continue
        mark = word not in shared
        word += 1
        if mark == marked:
            text += space + token
        else:
            before, after = (text, space) if marked else (text + space, "")
            if before:
                yield before, marked
            if after:
                yield after, False
            text, marked = token, mark
        space = ""
    if text:
        yield text, marked
    if space:
        yield space, False
