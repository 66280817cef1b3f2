"""Train, validation and test splits grouped by patient and stratified by label; a given split is kept."""

import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from preceptor.errors import InputError, Problem
from preceptor.tasks import Example, Split

LabelOf = Callable[[Example], str]
_PARTS: tuple[Split, ...] = ("train", "validation", "test")


@dataclass(frozen=True, slots=True)
class Splits:
    """Each example in exactly one split, in the order of the data."""

    train: list[Example] = field(repr=False)
    validation: list[Example] = field(repr=False)
    test: list[Example] = field(repr=False)


def split_by_patient(
    examples: Sequence[Example],
    fractions: tuple[float, float, float] = (0.65, 0.10, 0.25),
    *,
    seed: int = 0,
    label_of: LabelOf | None = None,
    where: str = "the data",
) -> Splits:
    """Assign patients (`Example.group`) to train, validation and test in the given fractions of patients.

    Stratified by each patient's rarest label; independent of the order of `examples`. A split given in the data is
    kept, even if it leaks patients, which preflight reports; a missing validation or test split is taken from its train
    patients. Raises InputError when there are too few patients; `where` names the data in the message.
    """
    given = {example.split for example in examples}
    _check_own_splits(given, where)
    missing = [part for part in _PARTS if part not in given and part != "train"]
    shares = {part: share for part, share in zip(_PARTS, fractions, strict=True) if part == "train" or part in missing}
    part_of = _assign(
        [example for example in examples if example.split in (None, "train")], shares, seed, label_of, where
    )
    parts = [
        example.split if example.split in given - {None, "train"} else part_of[example.group] for example in examples
    ]
    return Splits(*([one for one, its in zip(examples, parts, strict=True) if its == part] for part in _PARTS))


def _check_own_splits(given: set[Split | None], where: str) -> None:
    if None in given and len(given) > 1:
        raise InputError(Problem(where, "some cases have a split and some have none", "Give every case one, or none"))
    if given and not given & {None, "train"}:
        raise InputError(Problem(where, "no case is for training", "Mark cases as train, or drop the split"))


def _assign(
    examples: Sequence[Example], shares: Mapping[Split, float], seed: int, label_of: LabelOf | None, where: str
) -> dict[str, Split]:
    """Patient -> split. Patients, sorted by label, go one by one to the split furthest below its share, so each split
    is within one patient of its share overall, and nearly so per label.
    """
    parts = [part for part, share in shares.items() if share > 0]
    patients = _stratified(examples, seed, label_of)
    _check_patient_count(len(patients), parts, where)
    total = sum(shares[part] for part in parts)
    assigned: dict[str, Split] = {}
    count: Counter[Split] = Counter()
    for seen, patient in enumerate(patients, 1):
        part = max(parts, key=lambda one: shares[one] / total * seen - count[one])
        assigned[patient] = part
        count[part] += 1
    for part in parts:
        if not count[part]:  # few patients: no split may stay empty
            largest = count.most_common(1)[0][0]
            patient = next(one for one in patients if assigned[one] == largest)
            assigned[patient] = part
            count.update({largest: -1, part: 1})
    return assigned


def _stratified(examples: Sequence[Example], seed: int, label_of: LabelOf | None) -> list[str]:
    """Patients shuffled by `seed`, then sorted by their rarest label."""
    patients = sorted({example.group for example in examples})
    random.Random(seed).shuffle(patients)
    if label_of is None:
        return patients
    frequency = Counter(label_of(example) for example in examples)
    stratum: dict[str, tuple[int, str]] = {}
    for example in examples:
        label = label_of(example)
        rank = (frequency[label], label)
        stratum[example.group] = min(stratum.get(example.group, rank), rank)
    return sorted(patients, key=lambda patient: stratum[patient])


def _check_patient_count(patients: int, parts: Sequence[Split], where: str) -> None:
    if patients >= len(parts):
        return
    found = {0: "no patient", 1: "one patient only"}.get(patients, f"{patients} patients only")
    what = f"{found}, but {', '.join(parts)} need at least one each"
    fix = "Give cases of more patients, and check that `group` names the patient's column"
    raise InputError(Problem(where, what, fix))
