from hypothesis import given
from hypothesis import strategies as st

from preceptor.errors import InputError, Problem, printable


@given(st.text())
def test_what_is_printed_cannot_steer_a_terminal(text: str) -> None:
    shown = printable(text)
    assert len(shown) == len(text)
    assert shown.isprintable()
    shown.encode()  # half a character of a file name could not be written
    assert printable(shown) == shown


def test_all_problems_stand_on_lines_of_their_own() -> None:
    error = InputError(
        [Problem("a\x1b[31m\n.csv", "it is red", "Rename it."), Problem("b.csv", "it is empty", "Fill.")]
    )
    assert len(str(error).splitlines()) == 2
    assert "\x1b" not in str(error)
