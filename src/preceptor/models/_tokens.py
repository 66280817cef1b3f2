"""Tokenizers, and chat turns as token ids; the model's family says how."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any
from weakref import WeakKeyDictionary

from transformers import AutoTokenizer

from preceptor.errors import InputError, Problem
from preceptor.models._source import ModelSource
from preceptor.models.families import find_family

_FAMILIES: WeakKeyDictionary[Any, ModuleType] = WeakKeyDictionary()
"""By tokenizer, which goes with its policy: one of 250,000 pieces takes 300 MB."""


@dataclass(frozen=True, slots=True, repr=False)
class Encoded:
    """Token ids of a prompt, generation prompt included, and of its answer, stop token included."""

    prompt: list[int]
    answer: list[int]

    def __repr__(self) -> str:
        return f"Encoded({len(self.prompt)} prompt tokens, {len(self.answer)} answer tokens)"


def load_tokenizer(source: ModelSource) -> Any:
    """Load a fast tokenizer. Raises `InputError` when it cannot be read, there is none, or the family cannot use it."""
    where = f"model {source.name}"
    try:
        tokenizer = AutoTokenizer.from_pretrained(source.location, local_files_only=True, trust_remote_code=False)
    except Exception as error:  # of damaged files, transformers and tokenizers raise many types
        what = f"its tokenizer or config.json cannot be read ({type(error).__name__})"
        raise InputError(Problem(where, what, "Copy tokenizer.json and all .json files of the model again.")) from error
    if not tokenizer.is_fast:
        raise InputError(Problem(where, "its tokenizer has no tokenizer.json", "Save it again as a fast tokenizer."))
    tokenizer.backend_tokenizer.no_truncation()  # tokenizer.json may ask for both, and would shorten a case unseen
    tokenizer.backend_tokenizer.no_padding()
    # How long a text may be is looked at where it is cut, and what a model reads in chunks is longer by intent.
    tokenizer.deprecation_warnings["sequence-length-is-longer-than-the-specified-maximum"] = True
    family_of(tokenizer).check_tokenizer(tokenizer, where)
    return tokenizer


def encode(tokenizer: Any, messages: Sequence[Mapping[str, str]], answer: str | None) -> Encoded:
    """Tokenise a prompt and, separately, its answer, so that the prompt's ids do not depend on the answer.

    messages: chat turns, each with `role` and `content`. `answer=None` gives no answer ids. No content of a turn or
    answer becomes a control token. Raises `InputError` when the chat template rejects the order of the turns.
    """
    encoded: Encoded = family_of(tokenizer).encode(tokenizer, messages, answer)
    return encoded


def reads_pieces(tokenizer: Any) -> bool:
    """Whether a model with this tokenizer reads the pieces of a text each by itself, as an encoder; else they are lines
    of one text.
    """
    family = family_of(tokenizer)
    return not family.WRITES and bool(family.ends(tokenizer)[0])  # else nothing would say where a piece begins


def family_of(tokenizer: Any) -> ModuleType:
    """The family of the model that a tokenizer is of."""
    if tokenizer not in _FAMILIES:
        _FAMILIES[tokenizer] = find_family(Path(tokenizer.name_or_path))  # the folder it was loaded from
    return _FAMILIES[tokenizer]
