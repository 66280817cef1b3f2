"""The two smallest nouns: a chat message and an example."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypedDict

Split = Literal["train", "validation", "test"]


class Message(TypedDict):
    """One turn of a chat, in the shape every chat template reads."""

    role: Literal["system", "user", "assistant"]
    content: str


@dataclass(frozen=True, slots=True)
class Example:
    """One case of one patient. Its `repr` shows no text, so a case cannot slip into a log.

    `group` is the patient and never crosses a split. `split` is set when the data brings its own split.
    `prompt` is set when the data brings finished chat turns instead of fields; `rejected` when it brings pairs.
    """

    id: str
    group: str
    fields: Mapping[str, str] = field(repr=False)
    target: str = field(repr=False)
    split: Split | None = None
    prompt: tuple[Message, ...] | None = field(default=None, repr=False)
    rejected: str | None = field(default=None, repr=False)
    date: str | None = field(default=None, repr=False)
    """ISO 8601, where the data say it; no model reads it."""
    metadata: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Column -> value, for the groups that results are told for; no model reads them here."""
