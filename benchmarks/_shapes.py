"""The batches that training is measured on: token ids drawn at random, no text of anybody.

Every token is a space and a word, so that a peer that takes text makes exactly these tokens of it again.
"""

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from preceptor.engine import EncodedPair


@dataclass(frozen=True, slots=True)
class Shape:
    """One optimizer step: pairs of a prompt, `shared` tokens alike in all and `own` of its own, and two answers."""

    name: str
    pairs: int
    shared: int
    own: int
    answer: int

    @property
    def title(self) -> str:
        """What the shape is, for a reader of the table."""
        begin = f"{self.shared} tokens shared by all, " if self.shared else ""
        return f"{self.name}: {self.pairs} pairs, {begin}{self.own} of each prompt, answers of {self.answer}"

    def shrunk(self, factor: int) -> "Shape":
        """The same shape with every length divided, for a quick look."""
        return Shape(self.name, self.pairs, self.shared // factor, self.own // factor, max(2, self.answer // factor))


SHAPES = {
    shape.name: shape
    for shape in (
        Shape("a", pairs=4, shared=0, own=256, answer=32),
        Shape("b", pairs=8, shared=300, own=60, answer=16),
        Shape("c", pairs=2, shared=0, own=1024, answer=128),
        Shape("d", pairs=8, shared=0, own=40, answer=8),
    )
}

LARGE_SHAPES = {
    shape.name: shape
    for shape in (
        Shape("e", pairs=8, shared=0, own=1024, answer=128),
        Shape("f", pairs=16, shared=1500, own=300, answer=32),
        Shape("g", pairs=2, shared=0, own=6000, answer=256),
    )
}
"""For an accelerator, with trees of `LARGE_TREE` tokens."""
LARGE_TREE = 8192


def word_tokens(tokenizer: Any) -> list[int]:
    """The tokens that are a space and a word, and that the tokenizer makes of that word again."""
    texts = {token: tokenizer.decode([token]) for token in sorted(tokenizer.get_vocab().values())}
    words = {token: text for token, text in texts.items() if re.fullmatch(" [a-z]+", text)}
    read_back = tokenizer(list(words.values()), add_special_tokens=False)["input_ids"]
    return [token for token, ids in zip(words, read_back, strict=True) if ids == [token]]


def draw_pairs(
    shape: Shape, words: Sequence[int], stop: int, *, count: int | None = None, seed: int = 0
) -> list[EncodedPair]:
    """`count` pairs (those of one step without it), always the same ones. Every answer ends with the token `stop`.

    Prompts part at their first own token, the two answers at their first: nothing is shared by chance.
    """
    rng = random.Random(seed)
    shared = rng.choices(words, k=shape.shared)
    pairs = []
    for first in rng.sample(words, count or shape.pairs):
        prompt = [*shared, first, *rng.choices(words, k=shape.own - 1)]
        chosen, rejected = ([begin, *rng.choices(words, k=shape.answer - 2), stop] for begin in rng.sample(words, 2))
        pairs.append(EncodedPair(prompt, chosen, rejected))
    return pairs


def draw_labels(words: Sequence[int], stop: int, count: int, length: int) -> list[list[int]]:
    """`count` candidate answers of `length` tokens, stop token included, that share nothing."""
    rng = random.Random(1)
    return [[begin, *rng.choices(words, k=length - 2), stop] for begin in rng.sample(words, count)]
