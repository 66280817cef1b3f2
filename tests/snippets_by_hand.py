"""Snippets of a note as `how` says that they are made, by nothing but that: what who has an export alone can do."""

import re
from collections.abc import Iterator, Mapping
from typing import Any


def snippets_by_hand(note: str, made: Mapping[str, Any]) -> list[str]:
    words = list(re.finditer(r"\S+", note))
    begins = [n for n, word in enumerate(words) if n == 0 or _ends(words[n - 1][0]) or _breaks(note, words, n)]

    def moved(at: int, reach: int) -> int:
        at = min(max(at, 0), len(words))
        return min(
            (one for one in [*begins, len(words)] if abs(one - at) <= reach),
            key=lambda one: (abs(one - at), one),
            default=at,
        )

    taken: list[tuple[int, int]] = []
    for start, end in _hits(note, made["terms"]):
        first, *_, last = [n for n, word in enumerate(words) if word.start() < end and start < word.end()] * 2
        if any(one <= first and last < other for one, other in taken):
            continue
        if len(taken) == made["most"]:
            break
        reach = made["words"] // 2
        before, behind = moved(first - made["words"], reach), moved(last + 1 + made["words"], reach)
        taken.append((min(before, first), max(behind, last + 1)))
    count = 2 * made["words"] + 1
    merged: list[list[int]] = []
    for one, other in sorted(taken) or [(0, moved(count, count // 4))]:
        if merged and one < merged[-1][1]:
            merged[-1][1] = max(merged[-1][1], other)
        else:
            merged.append([one, other])
    return [note[words[one].start() : words[other - 1].end()] for one, other in merged if one < other]


def _ends(word: str) -> bool:
    return bool(re.search(r"[.!?:;][\"')\]]*$", word))


def _breaks(note: str, words: list[re.Match[str]], n: int) -> bool:
    return "\n" in note[words[n - 1].end() : words[n].start()]


def _hits(note: str, groups: list[list[str]]) -> Iterator[tuple[int, int]]:
    for group in groups:
        yield from sorted(hit.span() for term in group for hit in re.finditer(term, note, re.IGNORECASE))
