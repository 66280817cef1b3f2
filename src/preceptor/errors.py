"""What Preceptor says when something is wrong: where, what, and what to do about it."""

import re
import traceback
from collections.abc import Sequence
from dataclasses import dataclass

_STEERING = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing the user can put right. Never holds the text of a case."""

    where: str
    what: str
    fix: str

    def __str__(self) -> str:
        return printable(f"{self.where}: {self.what}. {self.fix}")


def printable(text: str) -> str:
    """`text` without what could move a terminal's cursor, colour it, or not be written: names come from outside."""
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)


def without_steering(text: str) -> str:
    """`text` of several lines without control characters and without marks that turn its direction.

    What stands behind such a mark is read in another order than it is written in (Unicode TR 36, section 3.2).
    """
    return _STEERING.sub("\N{REPLACEMENT CHARACTER}", text)


def kind_and_place(error: BaseException) -> str:
    """An exception's type and the innermost calls it was raised in; not its message, which may hold case text."""
    frames = traceback.extract_tb(error.__traceback__)
    places = [f"{frame.name} ({frame.filename.rpartition('/')[2]}:{frame.lineno})" for frame in frames]
    return " < ".join([type(error).__name__, *reversed(places[-4:])])


class PreceptorError(Exception):
    """Something went wrong on our side; the command ends with exit code 1."""

    exit_code = 1


class OutOfMemoryError(PreceptorError):
    """There is not enough memory, in another process."""

    def __init__(self, words: str = "there is not enough memory") -> None:
        super().__init__(words)


class UnforeseenError(PreceptorError):
    """A fault of ours in another process, told by its kind and place alone: its own words could repeat a case."""


class InputError(PreceptorError):
    """The user's input cannot be used; holds every problem found, not only the first. Exit code 2."""

    exit_code = 2

    def __init__(self, problems: Problem | Sequence[Problem]) -> None:
        self.problems = [problems] if isinstance(problems, Problem) else list(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))
