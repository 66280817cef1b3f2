from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from preceptor.ship.serving._queue import Token
from preceptor.ship.serving._shown import Part, ShownAnswer, StreamingDecoder

STRIPPED = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
answers = st.lists(st.integers(0, 520), max_size=30)
"""Token ids, special ones and halves of characters among them."""


def parts_of(answer: ShownAnswer, ids: list[int]) -> list[Part]:
    return [*(answer.add(Token(one)) for one in ids), answer.end("length")]


@STRIPPED
@given(ids=answers)
def test_pieces_put_together_are_the_whole_answer(ids: list[int], tiny_tokenizer: Any) -> None:
    decoder = StreamingDecoder(tiny_tokenizer)
    pieces = [decoder.add(token) for token in ids]
    assert "".join(pieces) + decoder.flush() == tiny_tokenizer.decode(ids, skip_special_tokens=True)


def test_half_a_sign_is_kept_back_until_it_is_whole(tiny_tokenizer: Any) -> None:
    ids = tiny_tokenizer.encode("a\N{THERMOMETER}b", add_special_tokens=False)
    decoder = StreamingDecoder(tiny_tokenizer)
    pieces = [decoder.add(token) for token in ids]
    assert "".join(pieces) == "a\N{THERMOMETER}b"
    assert "" in pieces
    assert all("\N{REPLACEMENT CHARACTER}" not in piece for piece in pieces)


@STRIPPED
@given(ids=answers)
def test_without_a_stop_string_all_text_and_every_token_is_shown(ids: list[int], tiny_tokenizer: Any) -> None:
    answer = ShownAnswer(tiny_tokenizer, [])
    shown, ending = Part.joined(parts_of(answer, ids)), answer.ending(None)
    assert shown.text == ending.text == tiny_tokenizer.decode(ids, skip_special_tokens=True)
    assert [token.id for token in shown.tokens] == ids
    assert (ending.tokens, ending.reason) == (len(ids), "length")


@STRIPPED
@given(ids=answers, data=st.data())
def test_a_stop_string_is_neither_in_the_text_nor_in_the_tokens_that_are_shown(
    ids: list[int], data: st.DataObject, tiny_tokenizer: Any
) -> None:
    """It is a part of the answer, so that it spans tokens; the answer itself is kept whole."""
    whole = tiny_tokenizer.decode(ids, skip_special_tokens=True)
    begin = data.draw(st.integers(0, len(whole)))
    stop = whole[begin : begin + data.draw(st.integers(1, 6))]
    answer = ShownAnswer(tiny_tokenizer, [stop] if stop else [])
    shown, ending = Part.joined(parts_of(answer, ids)), answer.ending(None)
    assert shown.text == (whole[: whole.find(stop)] if stop else whole)
    assert (ending.text, ending.tokens) == (whole, len(ids))
    assert ending.reason == ("stop" if stop else "length")
    told = tiny_tokenizer.decode([token.id for token in shown.tokens], skip_special_tokens=True)
    assert not stop or shown.text.startswith(told)


def test_a_token_is_told_once_its_text_is_shown(tiny_tokenizer: Any) -> None:
    ids = tiny_tokenizer.encode("chest pain, urgent", add_special_tokens=False)
    parts = parts_of(ShownAnswer(tiny_tokenizer, ["n, nurse"]), ids)
    told, text = "", ""
    for part in parts:
        told += tiny_tokenizer.decode([token.id for token in part.tokens])
        text += part.text
        assert text.startswith(told)
    assert text == told == "chest pain, urgent"
    assert len([part for part in parts if part.text]) > 2
