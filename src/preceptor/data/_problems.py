"""How a file's problems are gathered and worded: names and row numbers, never the text of a case."""

from collections.abc import Iterable, Sequence
from difflib import get_close_matches

from preceptor.errors import InputError, Problem

MOST_SHOWN = 20
LONGEST_SHOWN = 40
_LONGEST_CODE = 12


def stop_if_any(problems: Sequence[Problem]) -> None:
    """Raise one InputError with every problem; past the first 20, only how many more there are."""
    if not problems:
        return
    shown = list(problems[:MOST_SHOWN])
    more = len(problems) - len(shown)
    if more:
        shown.append(
            Problem(problems[-1].where.split(",")[0], f"{more} more problems like these", "Start with those above")
        )
    raise InputError(shown)


def shown(value: object) -> str:
    """A label or column name as it is; anything longer or of several lines is not repeated, it may be a case."""
    text = str(value)
    if len(text) <= LONGEST_SHOWN and "\n" not in text:
        return f"`{text}`"
    return _only_length(text)


def shown_if_meant(cell: str, known: Iterable[str]) -> str:
    """A cell that should hold one of `known`: as it is when it is near one of them or short as a code.

    Anything else is not repeated: the column may be the wrong one, and its short cells the text of cases.
    """
    is_code = len(cell) <= _LONGEST_CODE and not any(sign.isspace() for sign in cell)
    return shown(cell) if is_code or did_you_mean(cell, known) else _only_length(cell)


def _only_length(text: str) -> str:
    return f"a text of {len(text)} characters"


def listed(names: Iterable[str]) -> str:
    """Names for a message, at most 30 of them."""
    every = [shown(name) for name in names]
    more = f" and {len(every) - 30} more" if len(every) > 30 else ""
    return ", ".join(every[:30]) + more


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """`Did you mean X? ` for the nearest known name, upper or lower case alike; else nothing."""
    by_lower = {str(one).lower(): str(one) for one in known}
    near = get_close_matches(name.lower(), list(by_lower), n=1, cutoff=0.6)
    return f"Did you mean {shown(by_lower[near[0]])}? " if near else ""
