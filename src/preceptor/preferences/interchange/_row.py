"""The common representation of all formats: a row, and the losses of a conversion."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from preceptor.tasks import Message

Lost = Counter[str]
"""The losses of a conversion: field, or what happened to it -> number of rows. Empty: lossless."""


@dataclass(frozen=True, slots=True)
class Row:
    """One case with a right answer (`target`), a preference pair (`chosen`, `rejected`), or both.

    `messages` are the prompt; `group` is the patient, "" if unknown. `extra` holds the file's other non-empty columns
    as JSON values. Its `repr` shows no text.
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
        """Whether the row has a preference pair."""
        return self.chosen is not None and self.rejected is not None
