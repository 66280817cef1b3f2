"""Train, validation and test: whole patients, stratified by label, the data's own split kept."""

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
    """Each example in exactly one of three lists, each list in the order of the data."""

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
    """Deal patients (`Example.group`) to train, validation and test in the given fractions of patients.

    Stratified by the rarest label a patient has; the order of `examples` does not matter. A split that the data
    brings is kept as it is (also when it puts a patient on both sides: preflight reports that); validation or test,
    if the data lacks one, is taken from its train, again by patient. Raises InputError when there are too few
    patients for the parts to make; `where` is how the message names the data.
    """
    own = {example.split for example in examples}
    _stop_unless_sound(own, where)
    missing = [part for part in _PARTS if part not in own and part != "train"]
    shares = {part: share for part, share in zip(_PARTS, fractions, strict=True) if part == "train" or part in missing}
    part_of = _deal(
        [example for example in examples if example.split in (None, "train")], shares, seed, label_of, where
    )
    parts = [
        example.split if example.split in own - {None, "train"} else part_of[example.group] for example in examples
    ]
    return Splits(*([one for one, its in zip(examples, parts, strict=True) if its == part] for part in _PARTS))


def _stop_unless_sound(own: set[Split | None], where: str) -> None:
    if None in own and len(own) > 1:
        raise InputError(Problem(where, "some cases have a split and some have none", "Give every case one, or none"))
    if own and not own & {None, "train"}:
        raise InputError(Problem(where, "no case is for training", "Mark cases as train, or drop the split"))


def _deal(
    examples: Sequence[Example], shares: Mapping[Split, float], seed: int, label_of: LabelOf | None, where: str
) -> dict[str, Split]:
    """Patient -> part. Walking through the patients label by label, each goes to the part furthest below its share,
    so that every part is within one patient of its share, and so is every label in it or nearly so.
    """
    parts = [part for part, share in shares.items() if share > 0]
    patients = _by_label(examples, seed, label_of)
    _stop_if_too_few(len(patients), parts, where)
    total = sum(shares[part] for part in parts)
    dealt: dict[str, Split] = {}
    count: Counter[Split] = Counter()
    for seen, patient in enumerate(patients, 1):
        part = max(parts, key=lambda one: shares[one] / total * seen - count[one])
        dealt[patient] = part
        count[part] += 1
    for part in parts:
        if not count[part]:  # few patients: a part must not stay empty
            giver = count.most_common(1)[0][0]
            patient = next(one for one in patients if dealt[one] == giver)
            dealt[patient] = part
            count.update({giver: -1, part: 1})
    return dealt


def cases_by_patient(groups: Sequence[str], seed: int | str) -> dict[str, list[int]]:
    """The cases of each patient, by their index in `groups`; patients in a random order that the seed fixes."""
    patients = sorted(set(groups))
    random.Random(seed).shuffle(patients)
    cases: dict[str, list[int]] = {patient: [] for patient in patients}
    for index, patient in enumerate(groups):
        cases[patient].append(index)
    return cases


def _by_label(examples: Sequence[Example], seed: int, label_of: LabelOf | None) -> list[str]:
    """Patients in a random order that the seed fixes, then sorted by the rarest label each has."""
    patients = list(cases_by_patient([example.group for example in examples], seed))
    if label_of is None:
        return patients
    frequency = Counter(label_of(example) for example in examples)
    stratum: dict[str, tuple[int, str]] = {}
    for example in examples:
        label = label_of(example)
        rank = (frequency[label], label)
        stratum[example.group] = min(stratum.get(example.group, rank), rank)
    return sorted(patients, key=lambda patient: stratum[patient])


def _stop_if_too_few(patients: int, parts: Sequence[Split], where: str) -> None:
    if patients >= len(parts):
        return
    found = {0: "no patient", 1: "one patient only"}.get(patients, f"{patients} patients only")
    what = f"{found}, but {', '.join(parts)} need at least one each"
    fix = "Give cases of more patients, and check that `group` names the patient's column"
    raise InputError(Problem(where, what, fix))
