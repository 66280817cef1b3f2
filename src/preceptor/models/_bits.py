"""Backbones held in four bits (QLoRA, Dettmers et al. 2023, arXiv 2305.14314), through bitsandbytes."""

import importlib
import importlib.util
import logging
import sys
from contextlib import suppress
from typing import Any

import torch
from torch import nn
from transformers import BitsAndBytesConfig

from preceptor.errors import InputError, Problem


def _load_without_hub() -> None:
    """Load bitsandbytes, which peft would load anyway, without its asking the hub for a kernel of its own.

    On some CPUs it does so as soon as it is imported, and warns when it gets none.
    """
    logger = logging.getLogger("bitsandbytes.backends.cpu.ops")
    level, kernels = logger.level, sys.modules.get("kernels")
    logger.setLevel("ERROR")
    sys.modules["kernels"] = None  # type: ignore[assignment]  # importing it fails, as if it were not installed
    try:
        with suppress(ImportError):
            importlib.import_module("bitsandbytes")
    finally:
        logger.setLevel(level)
        del sys.modules["kernels"]
        if kernels is not None:
            sys.modules["kernels"] = kernels


if "bitsandbytes" not in sys.modules:
    _load_without_hub()


def refuse_without_bitsandbytes() -> None:
    """Raises InputError when bitsandbytes is not installed."""
    if importlib.util.find_spec("bitsandbytes") is None:
        what = "weights of 4 bits need the package bitsandbytes, which is not installed"
        raise InputError(Problem("load_in_4bit", what, "Run `pip install 'preceptor[quantize]'`, or set it to false."))


def four_bits(dtype: torch.dtype) -> BitsAndBytesConfig:
    """How transformers is asked for it: NF4, its scales in eight bits; the linear layers compute in `dtype`.

    Packed weights are stored as if they were numbers of `dtype`, because only such are sharded over processes.
    """
    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=dtype,
        bnb_4bit_quant_storage=dtype,
    )


def pin_compute_dtype(model: nn.Module) -> None:
    """Keep 4-bit layers from computing in bfloat16 whenever nothing learns, as they do on some CPUs.

    A policy would then be another in training than in its reference and its answers.
    """
    for module in model.modules():
        layer: Any = module
        if hasattr(layer, "support_avx512bf16_for_cpu"):
            layer.support_avx512bf16_for_cpu = False
