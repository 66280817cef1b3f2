"""Backbones quantised to 4 bits (QLoRA, Dettmers et al. 2023, arXiv 2305.14314), through bitsandbytes."""

import importlib
import importlib.util
import logging
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from typing import Any

import torch
from torch import nn
from transformers import BitsAndBytesConfig

from preceptor.errors import InputError, Problem
from preceptor.extras import install_command

_compile: Any = torch.compile


def _compiled_when_called(function: Callable[..., Any], **settings: Any) -> Callable[..., Any]:
    compiled = cache(lambda: _compile(function, **settings))
    return lambda *args, **others: compiled()(*args, **others)


def _load_without_hub() -> None:
    """Import bitsandbytes, which peft imports anyway, without letting it request a compiled kernel from the hub.

    On some CPUs it sends that request on import, and warns when it fails. It also has functions compiled that are
    hardly ever called; the compiler, which takes seconds to import, is imported when one is.
    """
    logger = logging.getLogger("bitsandbytes.backends.cpu.ops")
    level, kernels = logger.level, sys.modules.get("kernels")
    logger.setLevel("ERROR")
    sys.modules["kernels"] = None  # type: ignore[assignment]  # importing it fails, as if it were not installed
    torch.compile = _compiled_when_called  # type: ignore[assignment]
    try:
        with suppress(ImportError):
            importlib.import_module("bitsandbytes")
    finally:
        torch.compile = _compile
        logger.setLevel(level)
        del sys.modules["kernels"]
        if kernels is not None:
            sys.modules["kernels"] = kernels


if "bitsandbytes" not in sys.modules:
    _load_without_hub()


def require_bitsandbytes() -> None:
    """Raises InputError when bitsandbytes is not installed."""
    if importlib.util.find_spec("bitsandbytes") is None:
        what = "weights of 4 bits need the package bitsandbytes, which is not installed"
        fix = f"Run `{install_command('quantize')}`, or set it to false."
        raise InputError(Problem("load_in_4bit", what, fix))


def four_bits(dtype: torch.dtype) -> BitsAndBytesConfig:
    """The quantisation: NF4 with double quantisation (8-bit scales); linear layers compute in `dtype`.

    The packed weights have the storage type `dtype`, because FSDP shards only floating-point parameters.
    """
    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=dtype,
        bnb_4bit_quant_storage=dtype,
    )


def pin_compute_dtype(model: nn.Module) -> None:
    """Keep 4-bit layers in their compute dtype: on some CPUs they switch to bfloat16 whenever gradients are off.

    Training would then compute another function than the reference and generation do.
    """
    for module in model.modules():
        layer: Any = module
        if hasattr(layer, "support_avx512bf16_for_cpu"):
            layer.support_avx512bf16_for_cpu = False
