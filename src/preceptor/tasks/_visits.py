"""Visits in codes: the text that small nets over sets of codes read.

    D: D017; D203 | M: aspirin; furosemide
    D: D017 | P: P2

A visit a line, the oldest first; in it sets, each behind the name of its kind. A set that is empty is left out, and
a visit without any is a line all the same: it must not make the one before it the last.
"""

from collections.abc import Mapping, Sequence

VISITS_FIELD, DRUGS_OF_VISIT = "visits", "M"
"""The field of a task that holds such a text, and the kind of the set that is asked for at the last visit."""
_NOTHING = "-"


def write_visits(visits: Sequence[Mapping[str, Sequence[str]]]) -> str:
    """The visits as such a text. A visit: kind -> codes."""
    return "\n".join(
        " | ".join(f"{kind}: {'; '.join(codes)}" for kind, codes in visit.items() if codes) or _NOTHING
        for visit in visits
    )


def read_visits(text: str) -> list[dict[str, list[str]]]:
    """The visits that `write_visits` wrote. A line that was cut, or that holds no set, is a visit without any."""
    return [_read_visit(line) for line in text.splitlines()]


def _read_visit(line: str) -> dict[str, list[str]]:
    sets = [part.partition(": ") for part in line.split(" | ")]
    return {kind: codes.split("; ") for kind, colon, codes in sets if colon}
