"""Visits in codes are read as they were written."""

from hypothesis import given
from hypothesis import strategies as st

from preceptor.tasks import read_visits, write_visits

CODES = st.text(alphabet="abcDEF 019.,-/()", min_size=1, max_size=8).filter(lambda code: code == code.strip())
VISITS = st.lists(st.dictionaries(st.sampled_from("DPM"), st.lists(CODES, min_size=1, max_size=4)), min_size=1)


@given(VISITS)
def test_visits_are_read_as_they_were_written(visits: list[dict[str, list[str]]]) -> None:
    assert read_visits(write_visits(visits)) == visits


def test_a_line_that_was_cut_is_a_visit_of_which_nothing_is_known() -> None:
    assert read_visits("[...]\nD: D017 | M: aspirin; folic acid\nD: D017") == [
        {},
        {"D": ["D017"], "M": ["aspirin", "folic acid"]},
        {"D": ["D017"]},
    ]
