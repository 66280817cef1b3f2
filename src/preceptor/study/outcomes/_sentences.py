"""Single sentences as a policy is asked them: from a token that begins a text, without one that ends it."""

from typing import Any

from preceptor.models import Encoded, encode_text


def sentence(tokenizer: Any, text: str) -> tuple[Encoded, ...]:
    """One piece: the probability of every token of `text` given those before it, none left out (P2-5)."""
    return (Encoded(_begin(tokenizer), encode_text(tokenizer, text)),)


def behind(tokenizer: Any, before: str, text: str) -> tuple[Encoded, ...]:
    """One piece: the probability of the tokens of `text`, which begins with a blank, given those of `before`."""
    return (Encoded([*_begin(tokenizer), *encode_text(tokenizer, before)], encode_text(tokenizer, text)),)


def in_pieces(tokenizer: Any, text: str, longest: int) -> tuple[Encoded, ...]:
    """A text in pieces of at most `longest` tokens, each behind a token that begins it. No piece has an end: a model
    that learned ends would seem to know the text better.
    """
    ids, room = encode_text(tokenizer, text), longest - 1
    return tuple(Encoded(_begin(tokenizer), ids[at : at + room]) for at in range(0, len(ids), room))


def _begin(tokenizer: Any) -> list[int]:
    return [tokenizer.eos_token_id if tokenizer.bos_token_id is None else tokenizer.bos_token_id]
