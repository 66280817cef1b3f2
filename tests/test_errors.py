from typing import Annotated

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from preceptor.errors import InputError, Problem, invalid_entries, kind_and_place, printable, without_steering


@given(st.text())
def test_what_is_printed_cannot_steer_a_terminal(text: str) -> None:
    shown = printable(text)
    assert len(shown) == len(text)
    assert shown.isprintable()
    shown.encode()  # half a character of a file name could not be written
    assert printable(shown) == shown


@given(st.text() | st.text("\u202e\u2066\u2069\u200e\u200f\u061c\x1b\n\ta"))
def test_what_is_read_stands_in_the_order_it_is_written_in(text: str) -> None:
    shown = without_steering(text)
    assert len(shown) == len(text)
    assert not set(shown) & {
        *"\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f\u061c\x1b\x9b\x07\x00"
    }
    assert without_steering(shown) == shown
    assert [at for at, sign in enumerate(shown) if sign in "\n\t"] == [
        at for at, sign in enumerate(text) if sign in "\n\t"
    ]
    shown.encode()


def test_all_problems_stand_on_lines_of_their_own() -> None:
    error = InputError(
        [Problem("a\x1b[31m\n.csv", "it is red", "Rename it."), Problem("b.csv", "it is empty", "Fill.")]
    )
    assert len(str(error).splitlines()) == 2
    assert "\x1b" not in str(error)


def test_an_error_of_others_is_named_by_its_kind_and_place_without_a_word_of_its_own() -> None:
    def read_case() -> None:
        raise ValueError("a word of a case")

    try:
        read_case()
    except ValueError as error:
        said = kind_and_place(error)
    assert said.startswith("ValueError < read_case (test_errors.py:")
    assert "a word of a case" not in said


def test_what_pydantic_finds_is_told_by_its_place_and_without_its_value() -> None:
    class Entry(BaseModel):
        model_config = ConfigDict(extra="forbid")
        number: int
        name: str

    with pytest.raises(ValidationError) as caught:
        Entry.model_validate({"number": "a patient's text", "nmae": "x"})
    assert invalid_entries(caught.value, "key") == [
        ("number", "Input should be a valid integer, unable to parse string as an integer", "Change it"),
        ("name", "this key is missing", "Add it"),
        ("nmae", "there is no such key", "Check the spelling, or take it out"),
    ]
    for text, what in (("[]", "this is not a JSON object"), ("{", "this is not JSON")):
        with pytest.raises(ValidationError) as caught:
            Entry.model_validate_json(text)
        assert invalid_entries(caught.value, "entry") == [("", what, "Change it")]


def test_a_list_with_a_wrong_element_is_not_called_too_short_as_well() -> None:
    class Entry(BaseModel):
        seeds: Annotated[tuple[int, ...], Field(min_length=1)]

    for listed, told in (
        (["a"], [("seeds.0", "Input should be a valid integer, unable to parse string as an integer")]),
        ([], [("seeds", "List should have at least 1 item after validation, not 0")]),
    ):
        with pytest.raises(ValidationError) as caught:
            Entry.model_validate({"seeds": listed})
        assert [(place, what) for place, what, _ in invalid_entries(caught.value, "key")] == told
