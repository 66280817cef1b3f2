"""The stage `pairs`: which cases get pairs, how they are made, split and filtered, and how they become token ids."""

import random
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from preceptor.data import TooLong, fit_pair
from preceptor.engine import EncodedPair, Numerics
from preceptor.files import read_jsonl, write_jsonl
from preceptor.models import Encoded, Policy
from preceptor.preferences import Pair, Request, filter_pairs, find_maker, voted_pairs
from preceptor.progress import Advance
from preceptor.study.cases import Prepared
from preceptor.study.run.kept import kept
from preceptor.study.score import case_score
from preceptor.study.spec.study import Study
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


def maker_settings(maker: str | None, study: Study, prepared: Prepared, store: Path | None) -> dict[str, Any]:
    """The maker's part of the stage key: its name and the values of its settings; empty where none is named."""
    names = find_maker(maker).settings
    return ({"maker": maker} if maker else {}) | {name: _value_of(name, study, prepared, store) for name in names}


def _value_of(setting: str, study: Study, prepared: Prepared, store: Path | None) -> Any:
    match setting:
        case "judge":
            assert study.judge is not None
            return study.judge.model_dump()
        case "votes":  # the consensus in the store, wherever it lies
            assert store is not None
            pairs = voted_pairs(store, prepared.task, prepared.splits.train).pairs
            return [[pair.example_id, pair.chosen, pair.rejected] for pair in pairs]
        case _:
            return getattr(study.pairs, setting)


def work_on_pairs(
    maker: str | None,
    study: Study,
    prepared: Prepared,
    cases: PairCases,
    policy: Policy,
    numerics: Numerics,
    folder: Path,
    *,
    seed: int,
    store: Path | None,
    advance: Advance,
) -> dict[str, Any]:
    """Make the pairs of `cases`, write them to `folder`, and return the stage's ledger."""
    score = partial(case_score, prepared.task)
    made = find_maker(maker).make(
        Request(
            task=prepared.task,
            examples=cases.examples,
            prompts=[one.prompt for one in cases.encoded],
            score=score,
            policy=policy,
            numerics=numerics,
            seed=seed,
            samples=study.pairs.samples,
            temperature=study.pairs.temperature,
            judge=study.judge,
            judgement_log=folder / "judged.jsonl",
            votes=store,
            advance=advance,
        )
    )
    (train, report), (validation, _) = (
        filter_pairs(part, cases.examples, prepared.task, score)
        for part in split_pairs(made.pairs, prepared, maker, seed)
    )
    write_pairs(folder / "pairs.jsonl", train, validation)
    trained_on = {example.id for example in cases.examples[: cases.trained_on]}
    with_pair = trained_on & {pair.example_id for pair in (*train, *validation)}
    return {
        "cost": made.cost.to_json(),
        "pairs": report.makers,
        "without_pair": cases.passed_over + len(trained_on) - len(with_pair),
        "findings": asdict(report) | {"notes": made.notes, "label_ties": made.label_ties},
    }


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
    with kept(file):
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
