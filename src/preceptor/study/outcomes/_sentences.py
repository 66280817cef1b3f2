"""Single sentences as a policy is asked them: from a token that begins a text, without one that ends it."""

from typing import Any

from preceptor.models import Encoded, encode_text


def sentence(tokenizer: Any, text: str) -> tuple[Encoded, ...]:
    """One piece: the probability of every token of `text` given those before it, none left out (P2-5)."""
    return (Encoded(_begin(tokenizer), encode_text(tokenizer, text)),)


def behind(tokenizer: Any, before: str, text: str) -> tuple[Encoded, ...]:
    """One piece: the probability of the tokens of `text`, which begins with a blank, given those of `before`."""
    return (Encoded([*_begin(tokenizer), *encode_text(tokenizer, before)], encode_text(tokenizer, text)),)


def _begin(tokenizer: Any) -> list[int]:
    return [tokenizer.eos_token_id if tokenizer.bos_token_id is None else tokenizer.bos_token_id]
