"""What `her` and `his` stand for, told from the words beside them: her -> him or his, his -> her or hers.

The rules are ours. They decide what is safe and nothing else; what they leave open is left out by who asks.
"""

import csv
import re
from collections.abc import Collection
from functools import cache
from pathlib import Path

_TABLE = Path(__file__).parent / "her_before.csv"
"""What `her` is in front of a word. him: the word begins something new (her and, her today). his: it is what somebody
has (her knee), which home and water are not (took her home). open: not even a preposition in front of `her` tells.
"""

_ENDS = re.compile(r"[\"'\u201d\u2019)\]]*(?:\s*$|[.,;:!?]|\s+[-\u2013\u2014]\s)")
_NEXT = re.compile(r"\s+(\w+)(-?)")
_LAST = re.compile(r"(\w+)\s+$")

_PREPOSITIONS = {"about", "by", "for", "from", "in", "of", "on", "to", "under", "with"}
_BOTH = re.compile(r"\s+(?:and|or)\s+(?:hers?|him|his)\b", re.IGNORECASE)


def object_or_owner(word: str, before: str, after: str, nouns: Collection[str]) -> str | None:
    """What takes the place of `her` or `his` (in lower case); None where its neighbours do not say.

    before, after: the rest of its sentence. nouns: of persons, who may be somebody's (her brother).

    her: him at an end (of the sentence, or before one of .,;:!? or a dash) and before a word that begins something new
    (and, to, when), unless it is the first word; his as the first word, before what somebody has (kin, parts of the
    body), and between a preposition and a word that is no number and none such as `never`, nor ends in -ing or -ly.
    his: hers at an end; her before any word that does not begin something new, but for `bundle` (of His).
    """
    if _ENDS.match(after):
        return "him" if word == "her" else "hers"
    behind = _NEXT.match(after)
    if behind is None or _BOTH.match(after):
        return None
    following, first = behind[1].lower(), not re.search(r"\w", before)
    means = _before().get(following)
    if means == "him":
        return "him" if word == "her" and not first and not behind[2] else None
    if word == "his":
        return None if following == "bundle" else "her"
    if first or means == "his" or following in nouns:
        return "his"
    last = _LAST.search(before)
    unsure = means == "open" or not following.isalpha() or following.endswith(("ing", "ly"))
    return "his" if last and last[1].lower() in _PREPOSITIONS and not unsure else None


@cache
def _before() -> dict[str, str]:
    with _TABLE.open(encoding="utf-8", newline="") as file:
        return {row["word"]: row["her"] for row in csv.DictReader(file)}
