"""Answers of several labels: a text is read as a set, and a set written in one form."""

import re
from collections.abc import Iterable, Sequence

from preceptor.tasks._spelling import composed, plain

_DRESS = re.compile(r"[*`]")
_AROUND = " \t\r\n_#>\"'“”([{-•)]}.,"


def parse_label_set(text: str, labels: Sequence[str], separator: str, empty: str | None) -> frozenset[str] | None:
    """The labels that `text` lists; None where it names none of `labels` and does not say the `empty` set.

    Parts stand between separators or line breaks; case, the Unicode normal form, markdown and surrounding space and
    punctuation do not matter. A part that is none of `labels` stays in the set as it was written: a label that no right
    answer has. The word for the empty set beside labels contradicts them: None.
    """
    known = {_bare(label): label for label in labels}
    parts = [part for line in composed(text).splitlines() for part in line.split(separator.strip() or separator)]
    read = [_bare(part) for part in parts]
    found = frozenset(known.get(part, part) for part in read if part)
    if empty is not None and found == {_bare(empty)}:
        return frozenset()
    if (empty is not None and _bare(empty) in found) or found.isdisjoint(labels):
        return None
    return found


def write_label_set(found: Iterable[str], labels: Sequence[str], separator: str, empty: str | None) -> str:
    """The set in the order of `labels`, unknown ones last; `empty` for no label, "" where there is no word for that."""
    chosen = set(found)
    ordered = [label for label in labels if label in chosen] + sorted(chosen.difference(labels))
    return separator.join(ordered) or empty or ""


def _bare(part: str) -> str:
    return plain(_DRESS.sub("", part).strip(_AROUND))
