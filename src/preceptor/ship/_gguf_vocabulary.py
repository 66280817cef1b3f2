"""A byte-level BPE tokenizer in GGUF's form: tokens, merges, and the name of its pre-tokenizer."""

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
_PRE_TOKENIZERS: tuple[tuple[str, bool, list[dict[str, Any]]], ...] = (
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
"""Supported pre-tokenizers: llama.cpp's name, `ignore_merges`, and the steps as in `tokenizer.json`."""


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """tokens and types: one per embedding row; merges: `left right`, in order; pre_tokenizer: llama.cpp's name."""

    tokens: list[str]
    types: list[int]
    merges: list[str]
    pre_tokenizer: str


def read_vocabulary(tokenizer: Any, rows: int) -> Vocabulary | None:
    """The vocabulary of a model with `rows` embedding rows; None when the tokenizer is not supported."""
    spec = json.loads(tokenizer.backend_tokenizer.to_str())
    pre_tokenizer = _pre_tokenizer_name(spec)
    if pre_tokenizer is None:
        return None
    tokens, types = [f"[PAD{i}]" for i in range(rows)], [int(TokenType.UNUSED)] * rows
    for token, i in spec["model"]["vocab"].items():
        tokens[i], types[i] = token, int(TokenType.NORMAL)
    for added in spec["added_tokens"]:
        kind = TokenType.CONTROL if added["special"] else TokenType.USER_DEFINED
        tokens[added["id"]], types[added["id"]] = added["content"], int(kind)
    merges = [one if isinstance(one, str) else " ".join(one) for one in spec["model"]["merges"]]
    return Vocabulary(tokens, types, merges, pre_tokenizer)


def _pre_tokenizer_name(spec: Mapping[str, Any]) -> str | None:
    """llama.cpp's name of the pre-tokenizer; None when it has no equal one."""
    model, pre_tokenizer = spec["model"], spec["pre_tokenizer"] or {}
    is_bpe = model["type"] == "BPE" and not model.get("byte_fallback") and spec["normalizer"] is None
    if not is_bpe or (spec["decoder"] or {}).get("type") != "ByteLevel":
        return None
    steps = pre_tokenizer.get("pretokenizers", [pre_tokenizer])
    for name, ignore_merges, expected in _PRE_TOKENIZERS:
        matches = len(steps) == len(expected) and all(
            {key: step.get(key) for key in wanted} == wanted for step, wanted in zip(steps, expected, strict=True)
        )
        if matches and bool(model.get("ignore_merges")) == ignore_merges:
            return name
    return None
