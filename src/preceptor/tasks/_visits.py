"""Visits in codes: the text that small nets over sets of codes read.

    D: D017; D203 | M: aspirin; furosemide
    D: D017 | P: P2

A visit a line, the oldest first; in it sets, each behind the name of its kind. A set that is empty is left out.
"""

from collections.abc import Mapping, Sequence


def write_visits(visits: Sequence[Mapping[str, Sequence[str]]]) -> str:
    """The visits as such a text. A visit: kind -> codes."""
    return "\n".join(
        " | ".join(f"{kind}: {'; '.join(codes)}" for kind, codes in visit.items() if codes) for visit in visits
    )
