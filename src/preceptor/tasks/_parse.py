"""From what a model wrote to an answer. What cannot be read is INVALID: a wrong answer, never a missing one."""

import re
from collections.abc import Sequence
from functools import lru_cache

INVALID = "INVALID"

_DRESSING = " \t\r\n*_`#>\"'“”([{-•"


def parse_label(text: str, labels: Sequence[str]) -> str:
    """The label that `text` begins with; INVALID when there is none, or when a second, different one follows.

    Case, markdown, surrounding space and punctuation do not matter. Longer labels win over their own beginnings,
    so "not met" is never read as "met", nor "stage 12" as "stage 1".
    """
    answer = re.sub(r"[*`]", "", text).lstrip(_DRESSING)
    pattern = _label_pattern(tuple(labels))
    if not pattern.match(answer):
        return INVALID
    found = {_plain(hit) for hit in pattern.findall(answer)}
    if len(found) != 1:
        return INVALID
    return {_plain(label): label for label in labels}[found.pop()]


def parse_final_answer(text: str, labels: Sequence[str], marker: str) -> str:
    """The label on the line after the last `marker`, such as "Answer:"; INVALID when the marker is missing."""
    plain = re.sub(r"[*`]", "", text)
    hits = list(re.finditer(re.escape(marker), plain, re.IGNORECASE))
    if not hits:
        return INVALID
    rest = plain[hits[-1].end() :].lstrip(_DRESSING)
    return parse_label(rest.partition("\n")[0], labels)


def parse_text(text: str) -> str:
    """The text without surrounding space; INVALID when nothing is left."""
    return text.strip() or INVALID


@lru_cache
def _label_pattern(labels: tuple[str, ...]) -> re.Pattern[str]:
    longest_first = sorted(labels, key=len, reverse=True)
    names = "|".join(r"\s+".join(map(re.escape, label.split())) for label in longest_first)
    # A label ends where no letter or digit follows; "1.5" is not the label "1".
    return re.compile(rf"(?<![^\W_])(?:{names})(?![^\W_])(?![.,]\d)", re.IGNORECASE)


def _plain(label: str) -> str:
    return " ".join(label.casefold().split())
