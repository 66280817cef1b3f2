"""Encoders, whose tokens all see each other: they write nothing, and a head on their states answers."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from transformers import AutoModel

from preceptor.models.families._between_own_tokens import check_tokenizer, encode, ends

__all__ = ["AUTO_MODEL", "PEFT_TASK", "POOL", "WRITES", "check_tokenizer", "encode", "ends", "fits", "missing", "trim"]

AUTO_MODEL = AutoModel
PEFT_TASK = "FEATURE_EXTRACTION"
POOL = "first"
WRITES = False

_TYPES = ("bert", "camembert", "deberta-v2", "distilbert", "electra", "modernbert", "mpnet", "roberta", "xlm-roberta")
"""`model_type` of a `config.json`, as transformers names them."""


def fits(config: Mapping[str, Any]) -> bool:
    """Whether a `config.json` is an encoder's."""
    return config.get("model_type") in _TYPES and not config.get("is_decoder")


def trim(model: Any) -> None:
    """Take off the pooler, which the head stands in place of: an adapter on it would never have a gradient."""
    if getattr(model, "pooler", None) is not None:
        model.pooler = None


def missing(folder: Path) -> tuple[str, str] | None:
    """Nothing: an encoder needs no chat template."""
    return None
