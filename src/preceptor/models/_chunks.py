"""Pieces: how a case that is longer than an encoder's positions is read in several, by one head. Chunks part its tokens
where they must, snippets are what its text was made of.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

CHUNK_SETTINGS = ("chunk_length", "chunk_overlap")
"""Settings of a head, and of no other slot."""
LEAST_CHUNK = 16
_ENDS = 2
"""The token that an encoder's tokenizer puts in front of a text, and the one behind it; they stand around a chunk."""


@dataclass(frozen=True, slots=True)
class Chunks:
    """length: the most tokens of a chunk, with those around it. overlap: how many tokens of the text neighbours share.

    With n tokens of text, r = length - 2 and o = overlap, there are k = ceil((n - o) / (r - o)) chunks, the fewest that
    hold the text. They are about equally long: no two differ by more than a token. So none is a sliver: behind its
    overlap each has at least half of the tokens that would fit there.
    """

    length: int
    overlap: int

    def of(self, ids: list[int]) -> list[list[int]]:
        """The chunks of a case in the order of its text, each between the case's first token and its last; a case that
        fits is its only one.
        """
        if len(ids) <= self.length:
            return [ids]
        (first, *text, last), room = ids, self.length - _ENDS
        count = -(-(len(text) - self.overlap) // (room - self.overlap))
        shortest, longer = divmod(len(text) + (count - 1) * self.overlap, count)
        starts = (i * (shortest - self.overlap) + min(i, longer) for i in range(count))
        lengths = (shortest + (i < longer) for i in range(count))
        return [[first, *text[at : at + size], last] for at, size in zip(starts, lengths, strict=True)]


def snippets_of(ids: list[int]) -> list[list[int]]:
    """The snippets of a case, which an encoder's tokenizer put between its first token and its last: no text can write
    the first, so each begins a snippet.
    """
    starts = [at for at, token in enumerate(ids) if token == ids[0]]
    return [ids[start:end] for start, end in zip(starts, [*starts[1:], len(ids)], strict=True)]


def chunks_of(settings: Mapping[str, Any]) -> Chunks | None:
    """The chunks that a head's settings ask for, with an eighth of them as the usual overlap; None without any."""
    length = settings.get("chunk_length")
    return None if length is None else Chunks(length, settings.get("chunk_overlap", length // 8))


def chunk_settings(chunks: Chunks | None) -> dict[str, int]:
    """What `chunks_of` reads, every default written out."""
    return {} if chunks is None else dict(zip(CHUNK_SETTINGS, (chunks.length, chunks.overlap), strict=True))


def chunk_problems(settings: Mapping[str, Any]) -> list[str]:
    """What is wrong with a head's settings of chunks, whatever its model."""
    if "chunk_length" not in settings:
        return ["chunk_overlap does nothing without chunk_length"] if "chunk_overlap" in settings else []
    length = settings["chunk_length"]
    if not _whole(length) or length < LEAST_CHUNK:
        return [f"chunk_length must be a whole number of at least {LEAST_CHUNK}"]
    overlap = settings.get("chunk_overlap", 0)
    if not _whole(overlap) or not 0 <= overlap < length - _ENDS:
        most = length - _ENDS - 1
        return [f"chunk_overlap must be a whole number from 0 to {most}, beside the 2 tokens around each chunk"]
    return []


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
