"""Windows of a text: spans of its own characters around places, that begin and end at white space."""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

Span = tuple[int, int]
"""From the first to behind the last, of characters or of words."""

_ENDS_A_SENTENCE = re.compile(r"[.!?:;][\"')\]]*$")


@dataclass(frozen=True, slots=True)
class Words:
    """The words of a text, parted at white space, and which of them begin a sentence. Its `repr` shows no text."""

    text: str = field(repr=False)
    spans: list[Span] = field(repr=False)
    sentences: list[int] = field(repr=False)
    """The number of each sentence's first word, and behind them that of all words."""

    @classmethod
    def of(cls, text: str) -> "Words":
        """Sentences end with a sign (.!?:;) or with a line."""
        spans = [hit.span() for hit in re.finditer(r"\S+", text)]
        starts = [0] if spans else []
        for n, (before, word) in enumerate(pairwise(spans), 1):
            if _ENDS_A_SENTENCE.search(text[slice(*before)]) or "\n" in text[before[1] : word[0]]:
                starts.append(n)
        return cls(text, spans, [*starts, len(spans)])

    def at(self, characters: Span) -> Span:
        """The words that a span of characters touches; of white space alone, the nearest. There is a word."""
        start = min(bisect_right(self.spans, characters[0], key=lambda span: span[1]), len(self.spans) - 1)
        return start, max(start + 1, bisect_left(self.spans, characters[1], key=lambda span: span[0]))

    def written(self, words: Span) -> str:
        """The text's own characters from the first of the words to the last."""
        return self.text[self.spans[words[0]][0] : self.spans[words[1] - 1][1]] if words[0] < words[1] else ""

    def around(self, words: Span, width: int) -> Span:
        """The words with about `width` more on each side: to the begin or end of the sentence that is nearest to so
        many, if one is within half of them; else to the word that is so far away, or to the end of the text.
        """
        start = self._edge(words[0] - width, width // 2)
        return min(start, words[0]), max(self._edge(words[1] + width, width // 2), words[1])

    def first(self, count: int) -> Span:
        """About so many words from the beginning, to the end of a sentence if one is near."""
        return 0, self._edge(count, count // 4)

    def _edge(self, wanted: int, reach: int) -> int:
        wanted = min(max(wanted, 0), len(self.spans))
        near = self.sentences[
            bisect_left(self.sentences, wanted - reach) : bisect_right(self.sentences, wanted + reach)
        ]
        return min(near, key=lambda one: abs(one - wanted), default=wanted)


def windows(words: Words, hits: Iterable[Span], width: int, most: int) -> list[Span]:
    """Windows of words around hits, spans of characters, in the order of the text; those that overlap are one.

    The first hits are taken first: one that stands in a window already is in it, and of windows there are at most
    `most` before they are merged.
    """
    taken: list[Span] = []
    for hit in hits if words.spans else ():
        start, end = words.at(hit)
        if any(one[0] <= start and end <= one[1] for one in taken):
            continue
        if len(taken) == most:
            break
        taken.append(words.around((start, end), width))
    return _merged(sorted(taken))


def _merged(spans: Sequence[Span]) -> list[Span]:
    merged: list[Span] = []
    for start, end in spans:
        if merged and start < merged[-1][1]:
            merged[-1] = merged[-1][0], max(merged[-1][1], end)
        else:
            merged.append((start, end))
    return merged
