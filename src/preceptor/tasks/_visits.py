"""Visits in codes: the text that small nets over sets of codes read.

    D: D017; D203 | M: aspirin; furosemide
    D: D017 | P: P2

A visit a line, the oldest first; in it sets, each behind the name of its kind. A set that is empty is left out, and
a visit without any is a line all the same: it must not make the one before it the last. What is true of the patient at
every visit may stand in a line before them, as a set of the kind `profile`.
"""

from collections.abc import Mapping, Sequence

VISITS_FIELD, DRUGS_OF_VISIT, PROFILE = "visits", "M", "profile"
"""The field of a task that holds such a text, the kind of the set that is asked for at the last visit, and that of the
patient's profile."""
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
