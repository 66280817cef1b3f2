"""Where a stage writes its pairs, and how they become token ids."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from preceptor.data import TooLong, fit_pair
from preceptor.engine import EncodedPair
from preceptor.files import read_jsonl, write_jsonl
from preceptor.preferences import Pair
from preceptor.study.cases import Prepared
from preceptor.study.run.reading import reading

PAIRS = "pairs.jsonl"


def write_pairs(file: Path, train: Iterable[Pair], validation: Iterable[Pair]) -> None:
    """Write the pairs of both parts in the order given."""
    write_jsonl(
        file,
        [
            {"id": p.example_id, "chosen": p.chosen, "rejected": p.rejected, "origin": p.origin, "part": part}
            for part, pairs in (("train", train), ("validation", validation))
            for p in pairs
        ],
    )


def read_pairs(file: Path, prepared: Prepared) -> tuple[list[Pair], list[Pair]]:
    """The pairs to train on, and those for validation. Raises `InputError` for a damaged file."""
    train, validation = ({e.id for e in part} for part in (prepared.splits.train, prepared.splits.validation))
    found: dict[str, list[Pair]] = {"train": [], "validation": []}
    with reading(file):
        for row in read_jsonl(file):
            pair = Pair(row["id"], row["chosen"], row["rejected"], row["origin"])
            if pair.example_id not in train | validation or not isinstance(pair.rejected, str):
                raise ValueError("pairs of other cases")
            # Files from before `votes` have no `part`: it is the split of the case.
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
