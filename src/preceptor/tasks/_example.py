"""Chat messages and examples."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypedDict

Split = Literal["train", "validation", "test"]


class Message(TypedDict):
    """One chat message, in the format of chat templates."""

    role: Literal["system", "user", "assistant"]
    content: str


@dataclass(frozen=True, slots=True)
class Example:
    """One case of one patient. Its `repr` shows no text, so that cases cannot leak into logs.

    `group` is the patient, who never crosses a split. `split` is set if the data defines it. `prompt` holds the chat
    messages of chat datasets instead of `fields`; `rejected` the rejected answer of preference datasets.
    """

    id: str
    group: str
    fields: Mapping[str, str] = field(repr=False)
    target: str = field(repr=False)
    split: Split | None = None
    prompt: tuple[Message, ...] | None = field(default=None, repr=False)
    rejected: str | None = field(default=None, repr=False)
    date: str | None = field(default=None, repr=False)
    """ISO 8601, if the data has dates; not in the prompt."""
    metadata: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Column -> value of the subgroups that results are broken down by; not in the prompt."""
    archive: str | None = field(default=None, repr=False)
    """The answer that supervised training learns where that is not the right one (`spike` of a study's data)."""

    @property
    def learned(self) -> str:
        """The answer that supervised training learns, and that few-shot prompts show."""
        return self.target if self.archive is None else self.archive
