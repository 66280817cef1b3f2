"""A word-level diff of two answers."""

import re
from collections.abc import Iterator
from difflib import SequenceMatcher
from functools import lru_cache

Piece = tuple[str, bool]
"""A span of an answer, and whether it is absent from the other answer."""

MAX_WORDS = 4000
"""Longer answers get no diff: its time is quadratic in their words."""
MIN_SIMILARITY = 0.2
"""Less similar answers get no diff: nearly everything would be marked."""

# A number with decimals and per cent is one token: 4.2 and 2.4 share no part.
_TOKEN = re.compile(r"\d+(?:[.,:/]\d+)*%?|\w+|[^\w\s]|\s+")


@lru_cache(maxsize=512)
def differences(first: str, second: str) -> tuple[tuple[Piece, ...], tuple[Piece, ...]]:
    """Both answers as pieces. Nothing is marked in answers that are too long or too different."""
    tokens = _TOKEN.findall(first), _TOKEN.findall(second)
    words = [[token for token in index if not token.isspace()] for index in tokens]
    if max(map(len, words)) > MAX_WORDS:
        return ((first, False),), ((second, False),)
    matcher = SequenceMatcher(None, words[0], words[1])
    if matcher.ratio() < MIN_SIMILARITY and min(map(len, words)) > 3:
        return ((first, False),), ((second, False),)
    blocks = matcher.get_matching_blocks()
    shared = [{at for block in blocks for at in range(block[index], block[index] + block.size)} for index in (0, 1)]
    return tuple(_pieces(tokens[0], shared[0])), tuple(_pieces(tokens[1], shared[1]))


def _pieces(tokens: list[str], shared: set[int]) -> Iterator[Piece]:
    """Merge adjacent tokens; white space between two marked words is marked too."""
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
