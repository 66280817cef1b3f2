"""A byte-level BPE tokenizer as GGUF files have it: tokens, merges, and the name of the rule that cuts text first."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gguf import TokenType

_LLAMA_3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+"
    r"|\s+(?!\S)|\s+"
)
_BYTES = {"type": "ByteLevel", "add_prefix_space": False}
_CUTS: tuple[tuple[str, bool, list[dict[str, Any]]], ...] = (
    ("gpt-2", False, [_BYTES | {"use_regex": True}]),
    ("smollm", False, [{"type": "Digits", "individual_digits": True}, _BYTES | {"use_regex": True}]),
    (
        "llama-bpe",
        True,
        [
            {"type": "Split", "pattern": {"Regex": _LLAMA_3}, "behavior": "Isolated", "invert": False},
            _BYTES | {"use_regex": False},
        ],
    ),
)
"""The rules of llama.cpp that are known here: its name, whether a word that is a token skips the merges, the steps."""


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """tokens and types: one for each row of the embeddings; merges: in order, `left right`; cut: llama.cpp's name."""

    tokens: list[str]
    types: list[int]
    merges: list[str]
    cut: str


def read_vocabulary(tokenizer: Any, rows: int) -> Vocabulary | None:
    """The tokenizer of a model with so many rows of embeddings; None where it is of another kind than is known here."""
    told = json.loads(tokenizer.backend_tokenizer.to_str())
    cut = _cut(told)
    if cut is None:
        return None
    tokens, types = [f"[PAD{i}]" for i in range(rows)], [int(TokenType.UNUSED)] * rows
    for token, i in told["model"]["vocab"].items():
        tokens[i], types[i] = token, int(TokenType.NORMAL)
    for added in told["added_tokens"]:
        kind = TokenType.CONTROL if added["special"] else TokenType.USER_DEFINED
        tokens[added["id"]], types[added["id"]] = added["content"], int(kind)
    merges = [one if isinstance(one, str) else " ".join(one) for one in told["model"]["merges"]]
    return Vocabulary(tokens, types, merges, cut)


def _cut(told: Mapping[str, Any]) -> str | None:
    """The name of the rule that cuts text before the merges; None where llama.cpp would cut another way."""
    model, first = told["model"], told["pre_tokenizer"] or {}
    plain = model["type"] == "BPE" and not model.get("byte_fallback") and told["normalizer"] is None
    if not plain or (told["decoder"] or {}).get("type") != "ByteLevel":
        return None
    steps = first.get("pretokenizers", [first])
    for name, words_first, known in _CUTS:
        alike = len(steps) == len(known) and all(
            {key: step.get(key) for key in wanted} == wanted for step, wanted in zip(steps, known, strict=True)
        )
        if alike and bool(model.get("ignore_merges")) == words_first:
            return name
    return None
