"""Which cases get pairs, where a stage keeps them, and how they become token ids."""

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from preceptor.data import TooLong, fit_pair
from preceptor.engine import EncodedPair
from preceptor.files import read_jsonl, write_jsonl
from preceptor.models import Encoded
from preceptor.preferences import Pair
from preceptor.study._kept import kept
from preceptor.study._prepare import Prepared
from preceptor.tasks import Example


@dataclass(frozen=True, slots=True)
class PairCases:
    """Cases that are to get pairs: those trained on first, then those whose pairs choose the checkpoint."""

    examples: list[Example]
    encoded: list[Encoded]
    trained_on: int


def pair_cases(prepared: Prepared, limit: int | None, seed: int) -> PairCases:
    """At most `limit` training cases, and at most as many validation cases."""
    train = drawn(len(prepared.train), limit, seed)
    validation = drawn(len(prepared.validation), limit, seed)
    return PairCases(
        [prepared.splits.train[i] for i in train] + [prepared.splits.validation[i] for i in validation],
        [prepared.train[i] for i in train] + [prepared.validation[i] for i in validation],
        len(train),
    )


def drawn(cases: int, limit: int | None, seed: int) -> list[int]:
    """Indices of all cases, or of a seeded draw (files are often sorted by label)."""
    if limit is None or limit >= cases:
        return list(range(cases))
    return sorted(random.Random(seed).sample(range(cases), limit))


def write_pairs(file: Path, pairs: Iterable[Pair]) -> None:
    """Keep pairs, of training and of validation cases, in the order given."""
    write_jsonl(
        file, [{"id": p.example_id, "chosen": p.chosen, "rejected": p.rejected, "origin": p.origin} for p in pairs]
    )


def read_pairs(file: Path, prepared: Prepared) -> tuple[list[Pair], list[Pair]]:
    """The pairs of training cases, and those of validation cases. Raises `InputError` for a file that is damaged."""
    train, validation = ({e.id for e in part} for part in (prepared.splits.train, prepared.splits.validation))
    with kept(file):
        pairs = [Pair(row["id"], row["chosen"], row["rejected"], row["origin"]) for row in read_jsonl(file)]
        if any(p.example_id not in train | validation or not isinstance(p.rejected, str) for p in pairs):
            raise ValueError("pairs of other cases")
    return [p for p in pairs if p.example_id in train], [p for p in pairs if p.example_id in validation]


def encode_pairs(
    prepared: Prepared, pairs: Sequence[Pair], tokenizer: Any, max_length: int
) -> tuple[list[EncodedPair], int]:
    """Pairs as token ids, and how many did not fit (a rejected answer may be longer than gold)."""
    example_of = {e.id: e for e in (*prepared.splits.train, *prepared.splits.validation)}
    encoded = []
    for pair in pairs:
        example = example_of[pair.example_id]
        try:
            fitted = fit_pair(prepared.task, example, tokenizer, max_length, pair.chosen, pair.rejected)
        except TooLong:
            continue
        encoded.append(EncodedPair(fitted.chosen.prompt, fitted.chosen.answer, fitted.rejected.answer))
    return encoded, len(pairs) - len(encoded)
