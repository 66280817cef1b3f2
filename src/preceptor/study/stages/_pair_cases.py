"""Which cases get pairs, and which of the pairs are for validation."""

import random
from collections.abc import Sequence
from dataclasses import dataclass

from preceptor.models import Encoded
from preceptor.preferences import Pair, find_maker
from preceptor.study.cases import Prepared
from preceptor.tasks import Example

_FEWEST_TO_SPLIT = 20
"""With fewer pairs of training cases alone, none is held out for validation."""


@dataclass(frozen=True, slots=True)
class PairCases:
    """Cases that get pairs: training cases first, `trained_on` of them, then the validation cases.

    `passed_over`: training cases of which the maker can make no pair.
    """

    examples: list[Example]
    encoded: list[Encoded]
    trained_on: int
    passed_over: int = 0


def pair_cases(prepared: Prepared, limit: int | None, seed: int, maker: str | None = None) -> PairCases:
    """At most `limit` training cases and at most as many validation cases, of those that the maker supports.

    Raters vote on training cases, so a maker that reads their votes gets all of those and no others.
    """
    if _has_training_cases_only(maker):
        return PairCases(prepared.splits.train, prepared.train, len(prepared.train))
    supports = find_maker(maker).unsupported_reason
    able, able_validation = (
        [i for i, example in enumerate(part) if supports(prepared.task, [example]) is None]
        for part in (prepared.splits.train, prepared.splits.validation)
    )
    train = [able[i] for i in sample_indices(len(able), limit, seed)]
    validation = [able_validation[i] for i in sample_indices(len(able_validation), limit, seed)]
    return PairCases(
        [prepared.splits.train[i] for i in train] + [prepared.splits.validation[i] for i in validation],
        [prepared.train[i] for i in train] + [prepared.validation[i] for i in validation],
        len(train),
        len(prepared.train) - len(able),
    )


def _has_training_cases_only(maker: str | None) -> bool:
    return "votes" in find_maker(maker).settings


def sample_indices(cases: int, limit: int | None, seed: int) -> list[int]:
    """Sorted indices of all cases, or of `limit` sampled without replacement (files are often sorted by label)."""
    if limit is None or limit >= cases:
        return list(range(cases))
    return sorted(random.Random(seed).sample(range(cases), limit))


def split_pairs(
    pairs: Sequence[Pair], prepared: Prepared, maker: str | None, seed: int
) -> tuple[list[Pair], list[Pair]]:
    """The pairs to train on, and those of validation cases, whose loss chooses the checkpoint.

    Where all are of training cases, a tenth, sampled by patient, is for validation instead, if there are enough.
    """
    held_out = {example.id for example in prepared.splits.validation}
    if _has_training_cases_only(maker) and len(pairs) >= _FEWEST_TO_SPLIT:
        held_out = hold_out(pairs, {example.id: example.group for example in prepared.splits.train}, seed)
    return [p for p in pairs if p.example_id not in held_out], [p for p in pairs if p.example_id in held_out]


def hold_out(pairs: Sequence[Pair], patient_of: dict[str, str], seed: int) -> set[str]:
    """Case ids of patients who are sampled until a tenth of the pairs is theirs."""
    patients = sorted({patient_of[pair.example_id] for pair in pairs})
    random.Random(f"{seed} votes").shuffle(patients)
    held_out: set[str] = set()
    for patient in patients:
        if 10 * sum(pair.example_id in held_out for pair in pairs) >= len(pairs):
            break
        held_out |= {pair.example_id for pair in pairs if patient_of[pair.example_id] == patient}
    return held_out
