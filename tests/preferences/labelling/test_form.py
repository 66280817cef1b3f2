"""What a browser sends becomes a vote, or is refused with what to do."""

from contextlib import suppress
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labelling_rounds import make_gold, make_pair
from preceptor.preferences.labelling import Item
from preceptor.preferences.labelling._assignment import order_for
from preceptor.preferences.labelling._form import MAX_ANSWER_LENGTH, MAX_NOTE_LENGTH, FormError, read_form, read_vote
from preceptor.web.requests import LARGEST_BODY

ID = "0" * 32
SCALES = ("quality", "omissions")
GIVEN = {"quality-left": "4", "quality-right": "2", "omissions-left": "0", "omissions-right": "11"}


def read(item: Item, **fields: str):
    return read_vote({"id": ID, **fields}, item, "anna", 0)


def item_with_order(order: str) -> Item:
    items = (make_pair(n, scales=SCALES) for n in range(100))
    return next(item for item in items if order_for(0, "anna", item.id, False) == order)


@pytest.mark.parametrize(("order", "left", "right"), [("ab", "a", "b"), ("ba", "b", "a")])
def test_left_and_right_become_the_answers_that_stood_there(order: str, left: str, right: str) -> None:
    item = item_with_order(order)
    vote = read(item, choice="left", **GIVEN)
    assert (vote.choice, vote.order) == (left, order)
    assert vote.scores == {"quality": {left: 4, right: 2}, "omissions": {left: 0, right: 11}}
    assert read(item, choice="right", **GIVEN).choice == right
    assert read(item, choice="both_bad", **GIVEN).choice == "both_bad"


def test_a_skip_needs_no_scores_and_a_choice_does() -> None:
    item = make_pair(0, scales=SCALES)
    assert read(item, choice="skip").choice is None
    for name, wrong in (("quality-left", "6"), ("quality-left", "0"), ("omissions-left", "-1"), ("omissions-left", "")):
        with pytest.raises(FormError, match="of both answers"):
            read(item, choice="tie", **{**GIVEN, name: wrong})


def test_labels_are_named_by_their_place_and_free_text_is_kept() -> None:
    assert read(make_gold(0), choice="1").choice == "not urgent"
    assert read(make_gold(0, labels=()), choice="text", answer=" a\r\nb ").choice == "a\nb"
    for item, choice in ((make_gold(0), "2"), (make_gold(0), ""), (make_gold(0, labels=()), "text")):
        with pytest.raises(FormError, match="Choose"):
            read(item, choice=choice)


def test_notes_and_ideal_answers_have_a_longest_length_that_fits_into_a_request() -> None:
    vote = read(make_pair(0), choice="tie", note="n" * MAX_NOTE_LENGTH, edited="e" * MAX_ANSWER_LENGTH)
    assert (len(vote.note), len(vote.edited)) == (MAX_NOTE_LENGTH, MAX_ANSWER_LENGTH)
    for name, longest in (("note", MAX_NOTE_LENGTH), ("edited", MAX_ANSWER_LENGTH)):
        with pytest.raises(FormError, match="longer than"):
            read(make_pair(0), choice="tie", **{name: "x" * (longest + 1)})
    assert (
        len(urlencode({"edited": "\u6f22" * MAX_ANSWER_LENGTH, "note": "\u6f22" * MAX_NOTE_LENGTH}))
        < LARGEST_BODY - 1000
    )


@pytest.mark.parametrize(
    ("said", "seconds"), [("12.34", 12.3), ("-1", 0), ("nan", 0), ("inf", 0), ("x", 0), ("1e9", 86400)]
)
def test_seconds_are_what_can_be(said: str, seconds: float) -> None:
    assert read(make_pair(0), choice="tie", seconds=said).seconds == seconds


def test_an_id_that_no_page_made_is_refused() -> None:
    for id in ("", "0" * 31, "Z" * 32, "0" * 33):
        with pytest.raises(FormError, match="Load it again"):
            read(make_pair(0), choice="tie", id=id)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_form_or_refused(body: bytes) -> None:
    with suppress(FormError):
        assert all(isinstance(value, str) for value in read_form(body).values())


def test_a_form_of_thousands_of_fields_is_refused() -> None:
    with pytest.raises(FormError):
        read_form(b"&".join(b"a=1" for _ in range(1000)))
