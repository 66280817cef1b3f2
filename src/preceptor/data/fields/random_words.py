"""Words drawn at random from a text: a control of keywords. What keywords are worth beyond their number shows here."""

import random
from collections.abc import Callable, Sequence
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from preceptor.files import digest
from preceptor.tasks import Example, Task


class Settings(BaseModel):
    """How many words are drawn: `count`, or as many as another field of the case has."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    count: int | None = Field(default=None, gt=0)
    as_many_as: str | None = None
    seed: int = 0

    @model_validator(mode="after")
    def _one_number(self) -> Self:
        if (self.count is None) == (self.as_many_as is None):
            raise ValueError("give exactly one of `count` and `as_many_as` (a field)")
        return self

    @property
    def needs(self) -> tuple[str, ...]:
        """The fields it reads beside its source."""
        return (self.as_many_as,) if self.as_many_as else ()


def fit(train: Sequence[Example], source: str, task: Task, settings: Settings) -> Callable[[Example], str]:
    """Words of the text without replacement, in the order of the draw; the text and the seed decide which."""

    def make(example: Example) -> str:
        words = example.fields[source].split()
        wanted = settings.count or len(example.fields[settings.as_many_as or source].split())
        draw = random.Random(digest([settings.seed, words]))
        return " ".join(draw.sample(words, min(wanted, len(words))))

    return make
