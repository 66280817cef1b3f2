"""Errors for users: where the problem is, what it is, and how to fix it."""

import re
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydantic import ValidationError

_STEERING = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Problem:
    """One problem that the user can fix. Never contains the text of a case."""

    where: str
    what: str
    fix: str

    def __str__(self) -> str:
        return printable(f"{self.where}: {self.what}. {self.fix}")


def shortened(problems: Sequence[Problem], most: int, where: str, what: str, fix: str) -> list[Problem]:
    """The first `most` problems, and one that counts the others: `5 more problems like these`, the words in `what`."""
    others = len(problems) - most
    return [*problems[:most], *([Problem(where, f"{others} more {what}", fix)] if others > 0 else [])]


def printable(text: str) -> str:
    """`text` with every non-printable character replaced: names from outside may hold terminal escape sequences."""
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)


def without_steering(text: str) -> str:
    """Multi-line `text` with control characters and bidirectional marks replaced.

    Bidirectional marks make text display in another order than it is stored in (Unicode TR 36, section 3.2).
    """
    return _STEERING.sub("\N{REPLACEMENT CHARACTER}", text)


def kind_and_place(error: BaseException) -> str:
    """An exception's type and the innermost calls it was raised in; not its message, which may hold case text."""
    frames = traceback.extract_tb(error.__traceback__)
    places = [f"{frame.name} ({frame.filename.rpartition('/')[2]}:{frame.lineno})" for frame in frames]
    return " < ".join([type(error).__name__, *reversed(places[-4:])])


def invalid_entries(error: "ValidationError", noun: str) -> list[tuple[str, str, str]]:
    """(place, what, fix) of each error that pydantic found, without the value; the place of the whole input is "".

    noun: what messages call an entry, such as `setting`.
    """
    found = error.errors(include_input=False, include_url=False, include_context=False)
    within = {one["loc"][:depth] for one in found for depth in range(len(one["loc"]))}
    # A list that lacks no more than the elements that are wrong in it is told by these.
    found = [one for one in found if one["type"] != "too_short" or one["loc"] not in within]
    return [(".".join(map(str, one["loc"])), *_what_and_fix(one["type"], one["msg"], noun)) for one in found]


def _what_and_fix(kind: str, message: str, noun: str) -> tuple[str, str]:
    if kind == "missing":
        return f"this {noun} is missing", "Add it"
    if kind == "extra_forbidden":
        return f"there is no such {noun}", "Check the spelling, or take it out"
    if kind == "json_invalid":
        return "this is not JSON", "Change it"
    if message == "Input should be an object":  # of JSON; for Python objects the message says dictionary
        return "this is not a JSON object", "Change it"
    plain = message.removeprefix("Value error, ").replace("valid tuple", "valid list")
    plain = re.sub("^Tuple ", "List ", plain)
    return re.sub(" or instance of [A-Za-z]+$", "", plain).replace("valid dictionary", "valid mapping"), "Change it"


class PreceptorError(Exception):
    """A failure on our side; the command ends with exit code 1."""

    exit_code = 1


class OutOfMemoryError(PreceptorError):
    """Another process ran out of memory."""

    def __init__(self, words: str = "there is not enough memory") -> None:
        super().__init__(words)


class UnforeseenError(PreceptorError):
    """An unexpected exception in another process, by type and location; its message could contain case text."""


class InputError(PreceptorError):
    """The user's input cannot be used; `problems` holds every problem found. Exit code 2."""

    exit_code = 2

    def __init__(self, problems: Problem | Sequence[Problem]) -> None:
        self.problems = [problems] if isinstance(problems, Problem) else list(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))

    def __reduce__(self) -> tuple[type["InputError"], tuple[list[Problem]]]:
        return InputError, (self.problems,)  # pickle would make it from its words, without problems
