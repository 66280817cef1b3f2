"""Which senses are told apart, how many cases of each are taken, and what stays out."""

from collections import Counter
from collections.abc import Mapping

from hypothesis import given
from hypothesis import strategies as st

from preceptor.data import (
    ShortForms,
    Substituted,
    at_most,
    choose_senses,
    could_be_told_apart,
    left_out_by,
    most_of_a_sense,
    substitute,
)

SHORT = {"heart failure": "HF", "hip fracture": "HF", "room air": "RA", "right atrium": "RA", "lichen planus": "LP"}
COUNTS = st.dictionaries(st.sampled_from([*SHORT]), st.integers(1, 40))


def cases(counts: Mapping[str, int]) -> list[Substituted]:
    return [
        Substituted(SHORT[sense], 0, 2, sense, str(n), False) for sense, count in counts.items() for n in range(count)
    ]


def test_only_short_forms_with_two_senses_of_enough_cases_are_told_apart() -> None:
    """Trap 11."""
    train = cases({"heart failure": 20, "hip fracture": 15, "room air": 30, "right atrium": 14, "lichen planus": 99})
    senses = choose_senses(train, least=15)
    assert senses.names == ("heart failure", "hip fracture")
    assert left_out_by(senses, train, 15) == {"rare": 14, "only_sense": 129}


def test_candidates_are_the_senses_of_the_same_short_form_and_the_commonest_is_of_training() -> None:
    """Trap 10."""
    senses = choose_senses(cases({"heart failure": 20, "hip fracture": 25, "room air": 9, "right atrium": 8}), least=5)
    assert senses.names == ("heart failure", "hip fracture", "right atrium", "room air")
    assert senses.candidates == ((0, 1), (0, 1), (2, 3), (2, 3))
    assert senses.commonest == (1, 1, 3, 3)
    assert senses.named()[0] == ("HF", "hip fracture", 25)


@given(COUNTS, st.integers(1, 30))
def test_every_case_is_told_apart_or_counted_as_left_out(counts: dict[str, int], least: int) -> None:
    train = cases(counts)
    senses = choose_senses(train, least)
    kept = sum(one.sense in senses.number for one in train)
    assert kept + sum(left_out_by(senses, train, least).values()) == len(train)
    assert all(counts[name] >= least for name in senses.names)
    assert all(len(own) >= 2 for own in senses.candidates)
    assert all(most in own for own, most in zip(senses.candidates, senses.commonest, strict=True))


def test_rare_senses_are_kept_whole_and_the_others_share_the_rest() -> None:
    assert most_of_a_sense([1, 2, 100, 100], 50) == 25  # 47 are wanted of the last two: 24 each, as the paper adds 1
    assert most_of_a_sense([5, 5, 5], 100) == 5
    assert most_of_a_sense([], 10) == 0


@given(st.lists(st.integers(1, 300), min_size=1, max_size=30), st.integers(1, 3000))
def test_about_as_many_cases_are_left_as_are_wanted(frequencies: list[int], total: int) -> None:
    most = most_of_a_sense(frequencies, total)
    left = sum(min(one, most) for one in frequencies)
    assert min(total, sum(frequencies)) - len(frequencies) <= left <= total + 2 * len(frequencies)


@given(COUNTS, st.integers(1, 20), st.integers(0, 3))
def test_at_most_so_many_of_a_sense_are_drawn_in_order(counts: dict[str, int], most: int, seed: int) -> None:
    every = cases(counts)
    drawn = at_most(every, most, seed)
    assert Counter(one.sense for one in drawn) == {sense: min(count, most) for sense, count in counts.items()}
    assert [one for one in every if one in drawn] == drawn
    assert at_most(every, most, seed) == drawn


FORMS = ShortForms({"left atrium": "LA", "local anaesthesia": "LA", "right atrium": "RA"})


@given(
    texts=st.lists(st.lists(st.sampled_from([*FORMS.short_of, "no fever"]), max_size=4).map(". ".join), max_size=12),
    least=st.integers(1, 4),
)
def test_what_could_be_told_apart_is_what_is_told_apart_where_every_long_form_is_replaced(
    texts: list[str], least: int
) -> None:
    cases = substitute([("P1", text) for text in texts], FORMS, 1).cases
    assert could_be_told_apart(texts, FORMS, least) == bool(choose_senses(cases, least).names)
