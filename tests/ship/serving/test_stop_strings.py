import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from preceptor.ship.serving._stop_strings import StopCut

letters = st.text("ab\N{THERMOMETER}", max_size=12)  # so few that stop strings are found, and overlap


def shown(pieces: list[str], stop: list[str]) -> tuple[str, bool]:
    """What is let through of a text in pieces, and whether it was cut."""
    cut = StopCut(stop)
    text = "".join([*map(cut.add, pieces), cut.flush()])
    return text, cut.found


@given(pieces=st.lists(letters, max_size=8), stop=st.lists(st.text("ab\N{THERMOMETER}", min_size=1), max_size=4))
def test_however_a_text_is_divided_it_is_cut_before_its_first_stop_string(pieces: list[str], stop: list[str]) -> None:
    text = "".join(pieces)
    before = re.split("|".join(map(re.escape, stop)), text, maxsplit=1)[0] if stop else text
    assert shown(pieces, stop) == (before, before != text)


@given(pieces=st.lists(letters, max_size=8), stop=st.lists(st.text("ab\N{THERMOMETER}", min_size=1), max_size=4))
def test_nothing_is_held_back_that_cannot_become_a_stop_string(pieces: list[str], stop: list[str]) -> None:
    cut, given_so_far, text = StopCut(stop), "", ""
    for piece in pieces:
        given_so_far += piece
        text += cut.add(piece)
        held = given_so_far.removeprefix(text)
        assert cut.found or not held or any(one.startswith(held) for one in stop)


@pytest.mark.parametrize(
    ("pieces", "stop", "before"),
    [
        (["chest", " pain\n", "\nAnswer"], ["\n\n"], "chest pain"),
        (["a", "b", "c", "d"], ["abcd", "bc"], ""),
        (["a", "b", "c"], ["abcd", "bc"], "a"),
        (["xay"], ["ay", "y"], "x"),
        (["Answer"], ["Answer: "], "Answer"),
    ],
)
def test_of_two_that_overlap_the_one_that_begins_first_cuts(pieces: list[str], stop: list[str], before: str) -> None:
    assert shown(pieces, stop)[0] == before
