"""Helpers for a file's problems: they quote names and row numbers, never the text of a case."""

from collections.abc import Iterable, Sequence
from difflib import get_close_matches

from preceptor.errors import InputError, Problem, shortened

MAX_REPORTED = 20
MAX_QUOTED = 40
_MAX_CODE = 12


def raise_if_any(problems: Sequence[Problem]) -> None:
    """Raise one InputError with the first 20 problems and the number of further ones."""
    if problems:
        file = problems[-1].where.split(",")[0]
        raise InputError(shortened(problems, MAX_REPORTED, file, "problems like these", "Start with those above"))


def quoted(value: object) -> str:
    """A label or column name in backquotes; longer or multi-line values may be a case: only their length."""
    text = str(value)
    return f"`{text}`" if _is_name(text) else _only_length(text)


def short_id(case_id: str) -> str:
    """The id of a case or patient; of a longer or multi-line one, which may be a case's text, only its length."""
    return case_id if _is_name(case_id) else _only_length(case_id)


def quoted_if_near(cell: str, known: Iterable[str]) -> str:
    """A cell that should hold one of `known`: quoted if it is similar to one of them or as short as a code.

    Otherwise only its length: the column may be the wrong one and hold the text of cases.
    """
    is_code = len(cell) <= _MAX_CODE and not any(char.isspace() for char in cell)
    return quoted(cell) if is_code or did_you_mean(cell, known) else _only_length(cell)


def _is_name(text: str) -> bool:
    return len(text) <= MAX_QUOTED and "\n" not in text


def _only_length(text: str) -> str:
    return f"a text of {len(text)} characters"


def listed(names: Iterable[str]) -> str:
    """Names for a message, at most 30 of them."""
    all_names = [quoted(name) for name in names]
    hidden = f" and {len(all_names) - 30} more" if len(all_names) > 30 else ""
    return ", ".join(all_names[:30]) + hidden


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """`Did you mean X? ` for the one known name that begins so, or else the nearest, case-insensitive; "" if none is
    near.
    """
    by_lower = {str(one).lower(): str(one) for one in known}
    begun = [one for one in by_lower if len(name) > 1 and one.startswith(name.lower())]
    nearest = begun if len(begun) == 1 else get_close_matches(name.lower(), list(by_lower), n=1, cutoff=0.6)
    return f"Did you mean {quoted(by_lower[nearest[0]])}? " if nearest else ""
