"""Answer parsers. Text that cannot be parsed is INVALID: a wrong answer, never a missing one."""

import re
from collections.abc import Sequence
from functools import lru_cache

from preceptor.tasks._spelling import composed, plain

INVALID = "INVALID"

_MARKUP = " \t\r\n*_`#>\"'“”([{-•"


def parse_label(text: str, labels: Sequence[str]) -> str:
    """The label that `text` starts with; INVALID if there is none, or if a different label follows.

    Ignores case, the Unicode normal form, markdown, surrounding white space and punctuation. Longer labels take
    precedence over their prefixes: "not met" is never parsed as "met", nor "stage 12" as "stage 1".
    """
    answer = re.sub(r"[*`]", "", composed(text)).lstrip(_MARKUP)
    pattern = _label_pattern(tuple(labels))
    if not pattern.match(answer):
        return INVALID
    found = {plain(hit) for hit in pattern.findall(answer)}
    if len(found) != 1:
        return INVALID
    return {plain(label): label for label in labels}[found.pop()]


def parse_final_answer(text: str, labels: Sequence[str], marker: str) -> str:
    """The label after the last `marker`, such as "Answer:", on its line; INVALID without a marker."""
    bare = re.sub(r"[*`]", "", composed(text))
    hits = list(re.finditer(re.escape(marker), bare, re.IGNORECASE))
    if not hits:
        return INVALID
    rest = bare[hits[-1].end() :].lstrip(_MARKUP)
    return parse_label(rest.partition("\n")[0], labels)


def parse_text(text: str) -> str:
    """The stripped text; INVALID if it is empty."""
    return text.strip() or INVALID


@lru_cache
def _label_pattern(labels: tuple[str, ...]) -> re.Pattern[str]:
    longest_first = sorted(labels, key=len, reverse=True)
    names = "|".join(r"\s+".join(map(re.escape, label.split())) for label in longest_first)
    # A label ends at a word boundary; "1.5" is not the label "1".
    return re.compile(rf"(?<![^\W_])(?:{names})(?![^\W_])(?![.,]\d)", re.IGNORECASE)
