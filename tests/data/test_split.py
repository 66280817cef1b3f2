from collections import Counter, defaultdict

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from preceptor.data import Splits, split_by_patient
from preceptor.errors import InputError
from preceptor.tasks import Example, Split

PARTS: tuple[Split, ...] = ("train", "validation", "test")


def case(place: int, group: str, label: str = "a", split: Split | None = None) -> Example:
    return Example(str(place), group, {}, label, split)


def label_of(example: Example) -> str:
    return example.target


def ids(splits: Splits) -> list[list[str]]:
    return [[one.id for one in part] for part in (splits.train, splits.validation, splits.test)]


@st.composite
def cohorts(draw: st.DrawFn) -> list[Example]:
    """At least three patients with one to many cases each, in any order."""
    groups = draw(st.lists(st.integers(0, 40), min_size=3, max_size=120).filter(lambda them: len(set(them)) >= 3))
    labels = draw(st.lists(st.sampled_from("abc"), min_size=len(groups), max_size=len(groups)))
    return [case(place, f"p{group}", label) for place, (group, label) in enumerate(zip(groups, labels, strict=True))]


@settings(deadline=None)
@given(cohorts(), st.integers(0, 5))
def test_a_partition_whole_patients_and_the_same_again(examples: list[Example], seed: int) -> None:
    splits = split_by_patient(examples, seed=seed, label_of=label_of)
    assert sorted(name for part in ids(splits) for name in part) == sorted(one.id for one in examples)
    groups = [{one.group for one in part} for part in (splits.train, splits.validation, splits.test)]
    assert all(groups)
    assert sum(map(len, groups)) == len(set().union(*groups))
    backwards = split_by_patient(examples[::-1], seed=seed, label_of=label_of)
    assert [sorted(part) for part in ids(backwards)] == [sorted(part) for part in ids(splits)]


@settings(deadline=None)
@given(cohorts(), st.data())
def test_own_splits_are_kept(examples: list[Example], data: st.DataObject) -> None:
    own: dict[str, Split] = {one.id: data.draw(st.sampled_from(("train", "test"))) for one in examples}
    marked = [case(int(one.id), one.group, one.target, own[one.id]) for one in examples]
    patients = len({one.group for one in marked if one.split == "train"})
    assume(patients >= 2 and "test" in own.values())
    splits = split_by_patient(marked)
    assert {one.id for one in splits.test} == {name for name, part in own.items() if part == "test"}
    assert splits.validation
    assert splits.train
    assert not {one.group for one in splits.validation} & {one.group for one in splits.train}


def test_shares_are_of_patients_and_labels_keep_theirs() -> None:
    examples = [case(n, f"p{n % 200}", "rare" if n % 200 < 20 else "common") for n in range(600)]
    splits = split_by_patient(examples, seed=3, label_of=label_of)
    patients = [len({one.group for one in part}) for part in (splits.train, splits.validation, splits.test)]
    assert patients == [130, 20, 50]
    rare = [
        len({one.group for one in p if one.target == "rare"}) for p in (splits.train, splits.validation, splits.test)
    ]
    assert rare == [13, 2, 5]


def test_another_seed_deals_other_patients() -> None:
    examples = [case(n, f"p{n}") for n in range(50)]
    assert ids(split_by_patient(examples, seed=1)) != ids(split_by_patient(examples, seed=2))


def test_three_patients_are_one_each() -> None:
    assert [len(part) for part in ids(split_by_patient([case(n, f"p{n}") for n in range(3)]))] == [1, 1, 1]


def test_other_fractions_and_none_for_a_part() -> None:
    splits = split_by_patient([case(n, f"p{n}") for n in range(10)], (0.8, 0.0, 0.2))
    assert [len(part) for part in ids(splits)] == [8, 0, 2]


def test_complete_own_splits_stay_even_with_a_patient_on_both_sides() -> None:
    examples = [case(0, "p", split="train"), case(1, "p", split="validation"), case(2, "p", split="test")]
    assert ids(split_by_patient(examples)) == [["0"], ["1"], ["2"]]


def test_a_missing_part_is_taken_from_train_in_its_share() -> None:
    examples = [case(n, f"p{n}", split="train") for n in range(75)] + [case(99, "q", split="test")]
    assert [len(part) for part in ids(split_by_patient(examples))] == [65, 10, 1]


@pytest.mark.parametrize(
    ("examples", "words"),
    [
        ([case(0, "p"), case(1, "p")], "cases.csv: one patient only, but train, validation, test need at least one"),
        ([case(0, "p"), case(1, "q")], "2 patients only"),
        ([], "no patient"),
        ([case(0, "p", split="train"), case(1, "q", split="test")], "one patient only, but train, validation need"),
        ([case(0, "p", split="test")], "no case is for training"),
        ([case(0, "p", split="train"), case(1, "q")], "some cases have a split and some have none"),
    ],
)
def test_what_cannot_be_split(examples: list[Example], words: str) -> None:
    with pytest.raises(InputError, match=words):
        split_by_patient(examples, where="cases.csv")


def test_patients_with_many_cases_are_not_favoured() -> None:
    examples = [case(n, "big" if n < 100 else f"p{n}") for n in range(120)]
    homes: dict[str, Counter[str]] = defaultdict(Counter)
    for seed in range(30):
        splits = split_by_patient(examples, seed=seed)
        for name, part in zip(PARTS, (splits.train, splits.validation, splits.test), strict=True):
            homes["big"][name] += any(one.group == "big" for one in part)
    assert homes["big"]["train"] < 30
