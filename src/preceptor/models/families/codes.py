"""Small nets over visits in codes: made from settings and from what training cases hold, with no weights beforehand."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from tokenizers import Regex, Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Sequence as InTurn
from tokenizers.pre_tokenizers import Split
from transformers import AutoModel, PreTrainedTokenizerFast

from preceptor.models._code_sets import UNKNOWN, CodeSetsConfig, CodeSetsModel
from preceptor.models._tokens import Encoded

AUTO_MODEL = AutoModel
PEFT_TASK = "FEATURE_EXTRACTION"
POOL = "first"
WRITES = False
DTYPE = torch.float32
"""Of all weights, whatever the study's other models have: every one of them learns."""

_KIND = r"(?:\A|(?<=\n)|(?<= \| ))\w+: "
_SPECIAL = ("[PAD]", "[UNK]", "\n")
"""Tokens 0, 1 and 2."""
_PROFILE, _DRUGS = "profile: ", "M: "
"""The kind of a patient's profile, and that of the sets which it stands before; the names are those of `tasks`."""


def fits(config: Mapping[str, Any]) -> bool:
    """Whether a `config.json` is one of these."""
    return config.get("model_type") == CodeSetsConfig.model_type


def trim(model: Any) -> None:
    """Nothing: every layer is used."""


def missing(folder: Path) -> tuple[str, str] | None:
    """Nothing: the folder was made here."""
    return None


def check_tokenizer(tokenizer: Any, where: str) -> None:
    """It was made here."""


def encode(tokenizer: Any, messages: Sequence[Mapping[str, str]], answer: str | None) -> Encoded:
    """The codes of a case, with what parts them; instruction and separators are left out."""
    text = _in_lines("\n".join(turn["content"] for turn in messages if turn["role"] != "system"))
    prompt = tokenizer(text, split_special_tokens=True)["input_ids"] or [UNKNOWN]
    return Encoded(prompt, [] if answer is None else tokenizer(answer, split_special_tokens=True)["input_ids"])


def ends(tokenizer: Any) -> tuple[list[int], list[int]]:
    """Nothing: a text without codes is none to it."""
    return [], []


def kinds_in(texts: Sequence[str]) -> list[str]:
    """The kinds of the sets in texts, each with its colon; none of texts that are no visits in codes."""
    return sorted({kind for text in texts for kind in re.findall(_KIND, _in_lines(text))})


def _in_lines(text: str) -> str:
    """A visit a line, whatever ends a line, as `tasks.read_visits` reads it."""
    return "\n".join(text.splitlines())


def make(texts: Sequence[str], width: int, folder: Path) -> None:
    """Write configuration and tokenizer, whose codes are those of `texts`. Raises ValueError where none has any."""
    parts = Split(Regex(_KIND), "isolated"), Split(Regex(r" \| |; "), "removed"), Split("\n", "isolated")
    cutter = InTurn(list(parts))
    texts, kinds = list(map(_in_lines, texts)), kinds_in(texts)
    if not kinds:
        raise ValueError("no text has sets of codes")
    found = {part for text in texts for part, _ in cutter.pre_tokenize_str(text)}
    tokens = [*_SPECIAL, *kinds, *sorted(found.difference(kinds, _SPECIAL))]
    tokenizer = Tokenizer(
        WordLevel({token: number for number, token in enumerate(tokens)}, unk_token=_SPECIAL[UNKNOWN])
    )
    tokenizer.pre_tokenizer = cutter
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, unk_token=_SPECIAL[UNKNOWN], pad_token=_SPECIAL[0]
    ).save_pretrained(folder)
    places = range(len(_SPECIAL), len(_SPECIAL) + len(kinds))
    profile = [kinds.index(_PROFILE), kinds.index(_DRUGS)] if {_PROFILE, _DRUGS} <= {*kinds} else None
    CodeSetsConfig(vocab_size=len(tokens), kinds=list(places), width=width, profile=profile).save_pretrained(folder)


def drawn(folder: Path, seed: int) -> CodeSetsModel:
    """The net with weights drawn from `seed`; the global random state is as it was."""
    with torch.random.fork_rng(devices=[]), torch.device("cpu"):
        torch.manual_seed(seed)
        return CodeSetsModel(CodeSetsConfig.from_pretrained(folder))
