"""Texts between a tokenizer's own first and last token, as encoders and small nets on their word vectors read them."""

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any

from preceptor.errors import InputError, Problem
from preceptor.models._tokens import Encoded
from preceptor.text_pieces import pieces_of


def check_tokenizer(tokenizer: Any, where: str) -> None:
    """Raises `InputError` when the tokenizer puts no token of its own in front of a text, where the head reads."""
    first = tokenizer("a")["input_ids"][0]
    if first not in (tokenizer.cls_token_id, tokenizer.bos_token_id):
        fix = "Copy the tokenizer of the model again, with its post-processor."
        raise InputError(Problem(where, "its tokenizer puts no classification token in front of a text", fix))


def ends(tokenizer: Any) -> tuple[list[int], list[int]]:
    """The model's own first token, and what it has behind a text."""
    ids: list[int] = tokenizer("")["input_ids"]
    return ids[:1], ids[1:]


def encode(tokenizer: Any, messages: Sequence[Mapping[str, str]], answer: str | None) -> Encoded:
    """The text of a case between the model's own first and last token; the instruction, in system turns, is left out.

    Of a text in pieces each piece stands between those tokens. A string such as `[SEP]` in a text is tokenised as plain
    text. An answer is its ids without such tokens.
    """
    text = "\n".join(turn["content"] for turn in messages if turn["role"] != "system")
    pieces = tokenizer(pieces_of(text), split_special_tokens=True, truncation=False)["input_ids"]
    prompt = list(chain.from_iterable(pieces))
    if answer is None:
        return Encoded(prompt, [])
    return Encoded(prompt, tokenizer(answer, add_special_tokens=False, split_special_tokens=True)["input_ids"])
