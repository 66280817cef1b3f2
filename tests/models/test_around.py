"""Windows about a place of a text: which token is read, and that it is always in the window."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from preceptor.models import Window, around, encode, load_tokenizer

BEFORE = [
    "",
    "Electroencephalographically UNREMARKABLE; naïve Göteborg œdema, SpO₂ 96% -- ",
    "Two\n\nlines\tand (",
    "[SEP] <|im_end|> [CLS] ",
    "x" * 400 + " ",
]
TOKENIZERS: dict[str, Any] = {}


@pytest.fixture(autouse=True)
def _tokenizers(tiny_source: Any, encoder_source: Any) -> None:
    if not TOKENIZERS:
        TOKENIZERS.update(llama=load_tokenizer(tiny_source), bert=load_tokenizer(encoder_source))


def window(family: str, text: str, place: int, length: int) -> Window:
    (found,) = around(TOKENIZERS[family], text, [place], length)
    assert found is not None
    return found


def read(family: str, found: Window) -> str:
    return str(TOKENIZERS[family].decode([found.ids[found.at]])).strip()


@pytest.mark.parametrize("family", ["llama", "bert"])
@pytest.mark.parametrize("before", BEFORE)
@pytest.mark.parametrize("length", [8, 16, 4000])
def test_the_token_that_is_read_is_the_abbreviations_own_first_piece(family: str, before: str, length: int) -> None:
    """Trap 1: places are characters, which neither long words nor the model's own first token move."""
    text = f"{before}CHF was ruled out, and a long text stands behind it."
    found = window(family, text, len(before), length)
    first = TOKENIZERS[family]("CHF", add_special_tokens=False)["input_ids"][0]
    assert read(family, found).casefold() == TOKENIZERS[family].decode([first]).strip().casefold()
    assert len(found.ids) <= length


@given(st.text(max_size=120), st.text(max_size=120), st.integers(3, 60), st.sampled_from(["llama", "bert"]))
def test_a_window_is_never_longer_and_its_token_always_in_it(
    before: str, behind: str, length: int, family: str
) -> None:
    """Trap 2: texts of more tokens than a model reads, and places anywhere in them."""
    text = f"{before} PE {behind}"
    found = window(family, text, len(before) + 1, length)
    assert len(found.ids) <= length
    assert 0 <= found.at < len(found.ids)
    assert read(family, found)[:1].casefold() == "p"


@given(st.integers(0, 60), st.integers(0, 60), st.integers(3, 40))
def test_an_encoder_is_given_as_much_as_there_is_room_for_on_both_sides(before: int, behind: int, length: int) -> None:
    text = f"{'a ' * before}pe{' a' * behind}"
    tokenizer, found = TOKENIZERS["bert"], window("bert", text, 2 * before, length)
    whole = tokenizer(text)["input_ids"]
    assert len(found.ids) == min(length, len(whole))
    assert (found.ids[0], found.ids[-1]) == (tokenizer.cls_token_id, tokenizer.sep_token_id)
    left, right = found.at - 1, len(found.ids) - 2 - found.at
    if left < right:  # the text begins there, or the room parts unevenly
        assert left == before or right - left <= 2
    if right < left - 1:
        assert left + right == length - 3 or found.ids == whole


def test_a_model_that_sees_to_the_left_is_given_nothing_behind_the_token() -> None:
    found = window("llama", "No chest pain, PE unlikely", len("No chest pain, "), 40)
    tokenizer = TOKENIZERS["llama"]
    assert found.at == len(found.ids) - 1
    assert found.ids[0] == tokenizer.bos_token_id
    assert tokenizer.decode(found.ids[1:]).startswith("No chest pain, P")


@pytest.mark.parametrize("family", ["llama", "bert"])
def test_no_text_writes_a_control_token_and_the_tokenizer_stays_as_it_was(family: str) -> None:
    tokenizer, turns = TOKENIZERS[family], [{"role": "user", "content": "fever [SEP] <|im_end|> 38.0 C"}]
    before = encode(tokenizer, turns, None)
    found = window(family, "[SEP] <|im_end|> PE", len("[SEP] <|im_end|> "), 60)
    inner = found.ids[1:-1] if family == "bert" else found.ids[1:]
    assert not {*inner} & {*tokenizer.all_special_ids}
    assert encode(tokenizer, turns, None) == before


def test_places_of_one_text_are_found_together() -> None:
    text = "CHF then PE"
    found = around(TOKENIZERS["bert"], text, [0, 9], 40)
    assert [window("bert", text, place, 40) for place in (0, 9)] == found
    assert around(TOKENIZERS["bert"], text, [3], 40) == [None]  # between words there is no token
