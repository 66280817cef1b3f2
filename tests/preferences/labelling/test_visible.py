"""Text as raters see it: everything that is there can be seen, and nothing moves anything else."""

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from preceptor.preferences.labelling._visible import visible

ANY_TEXT = st.text(st.characters(exclude_categories=()))


@given(ANY_TEXT)
def test_nothing_unseen_is_left_and_it_can_be_sent(text: str) -> None:
    shown = visible(text)
    shown.encode()
    directions = {unicodedata.bidirectional(char) for char in shown}
    assert not directions & {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}
    assert not any(unicodedata.category(char) in ("Cc", "Cs") for char in shown.replace("\n", "").replace("\t", ""))


@given(st.text(st.characters(categories=("L", "N", "P", "S", "Zs", "M"))))
def test_ordinary_text_of_any_language_is_left_as_it_is(text: str) -> None:
    assert visible(text) == text


def test_what_is_shown_instead() -> None:
    assert visible("5\u202egm\u202c mg\x00\x1b[31m\x7f\x90\ud800") == "5[RLO]gm[PDF] mg␀␛[31m␡[U+0090]\ufffd"
    assert visible("a\r\nb\rc\u2028d\te") == "a\nb\nc\nd\te"
