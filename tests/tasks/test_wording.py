import random
import re
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from preceptor.errors import InputError
from preceptor.tasks.cases._wording import Case, Side, abbreviate, assemble, join_notes, on_side, typing_errors

PATTERNS = ("fever", "cough", "rash", "fall", "pain")


def draw(rng: random.Random, side: Side) -> Case:
    pattern, person = rng.choice(on_side(PATTERNS, side)), rng.choice(("F64", "M40", "F30"))
    return Case(pattern, f"{side} words", {"note": f"{person} {pattern} {rng.randrange(10_000)}"}, "yes", person)


@given(st.integers(2, 40))
def test_every_item_is_on_one_side_and_no_side_is_empty(count: int) -> None:
    train, test = on_side(range(count), "train"), on_side(range(count), "test")
    assert sorted([*train, *test]) == list(range(count))
    assert train
    assert test


def test_one_item_cannot_be_on_two_sides() -> None:
    with pytest.raises(ValueError, match="two sides"):
        on_side(["only"], "train")


def test_cases_are_distinct_and_split_65_10_25() -> None:
    cases = assemble("demo", draw, 200, seed=1)
    assert len({case.fields["note"] for case in cases}) == 200
    assert Counter(case.split for case in cases) == {"train": 130, "validation": 20, "test": 50}
    assert [case.id for case in cases[:2]] == ["demo-000000", "demo-000001"]


def test_a_patient_has_one_or_two_cases_of_one_person_in_one_split() -> None:
    patients: dict[str, list[tuple[str | None, str]]] = {}
    for case in assemble("demo", draw, 300, seed=1):
        patients.setdefault(case.group, []).append((case.split, case.fields["note"].split()[0]))
    assert {len(cases) for cases in patients.values()} == {1, 2}
    assert all(len(set(cases)) == 1 for cases in patients.values())


def test_the_seed_decides_everything() -> None:
    assert assemble("demo", draw, 50, seed=1) == assemble("demo", draw, 50, seed=1)
    assert assemble("demo", draw, 50, seed=1) != assemble("demo", draw, 50, seed=2)


def test_running_out_of_cases_is_said() -> None:
    with pytest.raises(InputError, match=r"cases of demo: there are not so many different train.*Lower `cases`"):
        assemble("demo", lambda rng, side: Case(side, side, {"note": f"{side} {rng.randrange(5)}"}, "yes"), 40, 0)


@pytest.mark.parametrize("shared", ["pattern", "wording"])
def test_a_pattern_or_wording_on_both_sides_is_refused(shared: str) -> None:
    def leaky(rng: random.Random, side: Side) -> Case:
        names = {"pattern": side, "wording": side, shared: "same"}
        return Case(**names, fields={"note": str(rng.random())}, target="yes")

    with pytest.raises(RuntimeError, match=f"{shared} on both sides: same"):
        assemble("demo", leaky, 20, 0)


WORDS = st.lists(
    st.sampled_from(["fever", "no", "not", "denies", "without", "38.0", "120/80", "hours", "mg/dL", "catheter", "Kept"])
)


@given(WORDS, st.integers(0, 1000))
def test_typing_errors_spare_numbers_units_negations_and_what_is_kept(words: list[str], seed: int) -> None:
    mistyped = typing_errors(" ".join(words), random.Random(seed), rate=1.0, keep=("catheter",)).split()
    assert len(mistyped) == len(words)
    assert all(new == old for new, old in zip(mistyped, words, strict=True) if old != "fever")


def test_typing_errors_come_at_about_their_rate() -> None:
    text = "abdominal " * 4000
    mistyped = typing_errors(text, random.Random(0), rate=0.05).split()
    assert 150 < sum(word != "abdominal" for word in mistyped) < 250
    assert typing_errors(text, random.Random(0), rate=0.0) == text


def test_abbreviations_stand_for_whole_phrases_and_can_be_spared() -> None:
    text = "64 year-old patient with a history of heart failure, inpatient, for days"
    short = abbreviate(text, random.Random(0), rate=1.0, keep=("days",))
    assert re.fullmatch(r"64 (yo|y/o) pt with a (h/o|hx of) HF, inpatient, for days", short)
    assert abbreviate(text, random.Random(0), rate=0.0) == text


def test_notes_keep_their_words_come_in_any_order_and_the_sides_differ_in_headings() -> None:
    notes = [("nurse", "slept well "), ("doctor", "no fever"), ("lab", "")]
    rng = random.Random(0)
    seen = {side: {join_notes(notes, rng, side) for _ in range(60)} for side in ("train", "test")}  # type: ignore[arg-type]
    for texts in seen.values():
        assert {tuple(line.partition(": ")[2] for line in text.splitlines()) for text in texts} == {
            ("slept well", "no fever"),
            ("no fever", "slept well"),
        }
    headings = [{line.partition(":")[0] for text in texts for line in text.splitlines()} for texts in seen.values()]
    assert headings[0].isdisjoint(headings[1])
    assert join_notes(notes, rng, "train", ordered=True).endswith("no fever")  # type: ignore[arg-type]
