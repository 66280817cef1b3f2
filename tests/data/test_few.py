"""A few cases of each label."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from preceptor.data import few_of_each_label, most_of_each_label
from preceptor.tasks import Example

CASES = st.lists(st.tuples(st.sampled_from("ABCDEFGHIJ"), st.sampled_from("xyz")), min_size=1, max_size=40).map(
    lambda drawn: [Example(str(n), group, {}, label) for n, (group, label) in enumerate(drawn)]
)
FEW = st.integers(1, 6)


def label_of(case: Example) -> str:
    return case.target


@given(CASES, FEW, FEW, st.integers(0, 3))
def test_the_few_are_among_the_more(cases: list[Example], few: int, more: int, seed: int) -> None:
    smaller, larger = (few_of_each_label(cases, label_of, n, seed) for n in sorted((few, more)))
    assert {*smaller} <= {*larger}


@given(CASES, FEW, st.integers(0, 3))
def test_no_patient_gives_two_and_no_label_has_more(cases: list[Example], few: int, seed: int) -> None:
    taken = few_of_each_label(cases, label_of, few, seed)
    assert taken == sorted(taken)
    groups = [cases[place].group for place in taken]
    assert len({*groups}) == len(groups)
    there = most_of_each_label(cases, label_of)
    assert Counter(label_of(cases[place]) for place in taken) == {
        label: min(few, count) for label, count in there.items()
    }


def test_each_seed_draws_its_own() -> None:
    cases = [Example(str(n), str(n), {}, "xy"[n % 2]) for n in range(40)]
    drawn = {tuple(few_of_each_label(cases, label_of, 4, seed)) for seed in range(5)}
    assert len(drawn) == 5
