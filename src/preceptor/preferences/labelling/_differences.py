"""A word-level diff of two answers."""

import re
from collections.abc import Iterator
from difflib import SequenceMatcher
from functools import lru_cache
from itertools import count, groupby
from operator import itemgetter

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
    word = count()
    marks = [not token.isspace() and next(word) not in shared for token in tokens]
    for at in range(1, len(tokens) - 1):
        if tokens[at].isspace():
            marks[at] = marks[at - 1] and marks[at + 1]
    for marked, some in groupby(zip(marks, tokens, strict=True), key=itemgetter(0)):
        yield "".join(token for _, token in some), marked
