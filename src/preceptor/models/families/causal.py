"""Causal language models that answer with the next turn of a chat; they need a chat template."""

from pathlib import Path
from typing import Any

from transformers import AutoModelForCausalLM

from preceptor.models._chat_template import check_tokenizer, encode
from preceptor.models._json import read_json

__all__ = ["AUTO_MODEL", "PEFT_TASK", "POOL", "WRITES", "check_tokenizer", "encode", "ends", "missing", "trim"]

AUTO_MODEL = AutoModelForCausalLM
PEFT_TASK = "CAUSAL_LM"
POOL = "last"
WRITES = True


def trim(model: Any) -> None:
    """Nothing: every layer is used."""


def ends(tokenizer: Any) -> tuple[list[int], list[int]]:
    """A token that begins a text, where the model has one: that of the end of the text before it, if no other."""
    begin = tokenizer.eos_token_id if tokenizer.bos_token_id is None else tokenizer.bos_token_id
    return [] if begin is None else [begin], []


def missing(folder: Path) -> tuple[str, str] | None:
    """That there is no chat template, and the fix; None when there is one."""
    if any((folder / name).is_file() for name in ("chat_template.jinja", "chat_template.json")):
        return None
    if read_json(folder / "tokenizer_config.json").get("chat_template"):
        return None
    fix = "Use an instruction-tuned model, or put the template the model was trained with into chat_template.jinja."
    return "its tokenizer has no chat template", fix
