"""Snippets at random places of a note: a control of those around terms, of as many words."""

import random
from collections.abc import Callable, Sequence

from pydantic import BaseModel, ConfigDict

from preceptor.data.fields._windows import Words
from preceptor.files import digest
from preceptor.tasks import Example, Task
from preceptor.text_pieces import join_pieces, pieces_of, without_separator

makes_pieces = True


class Settings(BaseModel):
    """as_many_as: the field whose snippets they are like."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    as_many_as: str
    seed: int = 0

    @property
    def needs(self) -> tuple[str, ...]:
        """The fields it reads beside its source."""
        return (self.as_many_as,)


def fit(train: Sequence[Example], source: str, task: Task, settings: Settings) -> Callable[[Example], str]:
    """As many snippets as `as_many_as` has, each of as many words, none over another; the text and the seed decide."""

    def make(example: Example) -> str:
        words = Words.of(without_separator(example.fields[source]))
        sizes = [len(piece.split()) for piece in pieces_of(example.fields[settings.as_many_as])]
        draw = random.Random(digest([settings.seed, words.text]))
        draw.shuffle(sizes)
        free, at, found = max(0, len(words.spans) - sum(sizes)), 0, []
        for size, skipped in zip(sizes, sorted(draw.randint(0, free) for _ in sizes), strict=True):
            found.append((min(skipped + at, len(words.spans)), min(skipped + at + size, len(words.spans))))
            at += size
        return join_pieces(words.written(span) for span in found)

    return make
