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
from preceptor.preferences import Maker, Pair
from preceptor.study.cases import Prepared
from preceptor.study.run.kept import kept
from preceptor.tasks import Example

PAIRS = "pairs.jsonl"

_FEWEST_VOTED = 20
"""With fewer pairs from votes, all are trained on."""


@dataclass(frozen=True, slots=True)
class PairCases:
    """Cases that are to get pairs: those trained on first, then those whose pairs choose the checkpoint.

    `passed_over`: training cases that the maker is not asked of, because it could have no pair of them.
    """

    examples: list[Example]
    encoded: list[Encoded]
    trained_on: int
    passed_over: int = 0


def pair_cases(prepared: Prepared, limit: int | None, seed: int, maker: Maker | None = None) -> PairCases:
    """At most `limit` training cases, and at most as many validation cases.

    The maker `published` is asked only of cases with a rejected answer; `votes`, cast on training cases, of all those.
    """
    if maker == "votes":
        return PairCases(prepared.splits.train, prepared.train, len(prepared.train))
    able, looked_at = (
        [i for i, example in enumerate(part) if maker != "published" or example.rejected is not None]
        for part in (prepared.splits.train, prepared.splits.validation)
    )
    train, validation = _some(able, limit, seed), _some(looked_at, limit, seed)
    return PairCases(
        [prepared.splits.train[i] for i in train] + [prepared.splits.validation[i] for i in validation],
        [prepared.train[i] for i in train] + [prepared.validation[i] for i in validation],
        len(train),
        len(prepared.train) - len(able),
    )


def _some(cases: Sequence[int], limit: int | None, seed: int) -> list[int]:
    return [cases[i] for i in drawn(len(cases), limit, seed)]


def drawn(cases: int, limit: int | None, seed: int) -> list[int]:
    """Indices of all cases, or of a seeded draw (files are often sorted by label)."""
    if limit is None or limit >= cases:
        return list(range(cases))
    return sorted(random.Random(seed).sample(range(cases), limit))


def parted(pairs: Sequence[Pair], prepared: Prepared, maker: Maker | None, seed: int) -> tuple[list[Pair], list[Pair]]:
    """The pairs to train on, and those whose loss chooses the checkpoint: of validation cases, and never trained on.

    Votes are cast on training cases alone. Where there are enough, a tenth, drawn by patient, takes the others' place.
    """
    apart = {example.id for example in prepared.splits.validation}
    if maker == "votes" and len(pairs) >= _FEWEST_VOTED:
        apart = _a_tenth(pairs, {example.id: example.group for example in prepared.splits.train}, seed)
    return [p for p in pairs if p.example_id not in apart], [p for p in pairs if p.example_id in apart]


def _a_tenth(pairs: Sequence[Pair], patient_of: dict[str, str], seed: int) -> set[str]:
    """Cases of patients drawn until a tenth of the pairs is theirs."""
    patients = sorted({patient_of[pair.example_id] for pair in pairs})
    random.Random(f"{seed} votes").shuffle(patients)
    apart: set[str] = set()
    for patient in patients:
        if 10 * sum(pair.example_id in apart for pair in pairs) >= len(pairs):
            break
        apart |= {pair.example_id for pair in pairs if patient_of[pair.example_id] == patient}
    return apart


def write_pairs(file: Path, train: Iterable[Pair], validation: Iterable[Pair]) -> None:
    """Keep the pairs to train on and those to look at, in the order given."""
    write_jsonl(
        file,
        [
            {"id": p.example_id, "chosen": p.chosen, "rejected": p.rejected, "origin": p.origin, "part": part}
            for part, pairs in (("train", train), ("validation", validation))
            for p in pairs
        ],
    )


def read_pairs(file: Path, prepared: Prepared) -> tuple[list[Pair], list[Pair]]:
    """The pairs to train on, and those to look at. Raises `InputError` for a file that is damaged."""
    train, validation = ({e.id for e in part} for part in (prepared.splits.train, prepared.splits.validation))
    found: dict[str, list[Pair]] = {"train": [], "validation": []}
    with kept(file):
        for row in read_jsonl(file):
            pair = Pair(row["id"], row["chosen"], row["rejected"], row["origin"])
            if pair.example_id not in train | validation or not isinstance(pair.rejected, str):
                raise ValueError("pairs of other cases")
            # Pairs that were kept before votes could be are of the part that their case is of.
            found[row.get("part", "train" if pair.example_id in train else "validation")].append(pair)
    return found["train"], found["validation"]


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
