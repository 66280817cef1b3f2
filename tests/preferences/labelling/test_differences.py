"""Where two answers differ."""

import time

from hypothesis import given
from hypothesis import strategies as st

from preceptor.preferences.labelling._differences import MAX_WORDS, differences


def marked(left: str, right: str) -> tuple[list[str], list[str]]:
    first, second = ([text for text, mark in side if mark] for side in differences(left, right))
    return first, second


WORDS = st.lists(st.sampled_from(["no", "asthma", "4.2", "mg", ".", "left", "\n"]), max_size=15).map(" ".join)


@given(WORDS, WORDS)
def test_the_pieces_make_up_the_answers_and_what_is_not_marked_is_common(left: str, right: str) -> None:
    pieces = differences(left, right)
    assert ["".join(text for text, _ in side) for side in pieces] == [left, right]
    if any(mark for side in pieces for _, mark in side):
        common = [" ".join("".join(text for text, mark in side if not mark).split()) for side in pieces]
        assert common[0].replace(" ", "") == common[1].replace(" ", "")


@given(WORDS)
def test_nothing_is_marked_in_the_same_answer(text: str) -> None:
    assert marked(text, text) == ([], [])


def test_words_numbers_and_units_are_marked_whole() -> None:
    assert marked("Gain of 4.2 kg, furosemide 80 mg.", "Gain of 2.4 kg, furosemide 40 mg.") == (
        ["4.2", "80"],
        ["2.4", "40"],
    )
    assert marked("denies chest pain", "denies pain") == (["chest"], [])
    assert marked("urgent", "not urgent at all") == ([], ["not", "at all"])


def test_answers_with_nothing_in_common_are_not_painted_over() -> None:
    assert marked("one two three four five", "six seven eight nine ten") == ([], [])
    assert marked("urgent", "emergency") == (["urgent"], ["emergency"])


def test_hostile_lengths_take_no_time() -> None:
    started = time.perf_counter()
    for left, right in (
        ("a " * (MAX_WORDS - 1), "a b " * (MAX_WORDS // 2 - 1)),
        (" ".join(map(str, range(MAX_WORDS))), " ".join(map(str, reversed(range(MAX_WORDS))))),
        ("x " * (MAX_WORDS + 1), "y"),
        ("x" * 100_000, "<b>" * 30_000),
    ):
        assert "".join(text for text, _ in differences(left, right)[0]) == left
    assert time.perf_counter() - started < 5
