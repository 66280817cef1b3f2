from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from preceptor.ship.serving._completion import StreamingDecoder


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(ids=st.lists(st.integers(0, 520), max_size=30))
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
