"""What every format is read into and written from: a row, and what of it another side could not hold."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from preceptor.tasks import Message


@dataclass(frozen=True, slots=True)
class Row:
    """One case with a right answer (`target`), with a better and a worse one (`chosen`, `rejected`), or with both.

    `messages` are the turns before the answer; `group` is the patient, "" where the file does not say. `extra` holds
    the file's other columns as JSON has them, none of them empty. Its `repr` shows no text.
    """

    id: str
    group: str
    messages: tuple[Message, ...] = field(repr=False)
    target: str | None = field(default=None, repr=False)
    chosen: str | None = field(default=None, repr=False)
    rejected: str | None = field(default=None, repr=False)
    extra: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @property
    def is_pair(self) -> bool:
        """Whether there are two answers to prefer one of."""
        return self.chosen is not None and self.rejected is not None


@dataclass(frozen=True, slots=True)
class Lost:
    """What could not be held: a field, or what happened to it, and in how many rows. Empty: nothing was lost."""

    rows: Mapping[str, int] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.rows)

    def __str__(self) -> str:
        return "\n".join(f"{what}: {count} row{'s' * (count != 1)}" for what, count in self.rows.items())
