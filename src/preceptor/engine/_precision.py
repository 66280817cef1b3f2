"""Which number format and how many threads suit this machine: measured once, then kept with the study."""

import os
import time
from typing import Literal

import torch

from preceptor.engine._settings import Numerics, NumericsChoice
from preceptor.models import compute_device

_SIZE = {"cpu": (512, 1024), "cuda": (8192, 8192)}
"""Rows and width of a product: large enough that an accelerator is not waiting for its next order."""
_SECONDS = 0.1
_WORTH = 1.3
"""16-bit numbers lose precision: they must be this much faster. On many CPUs they are slower."""


def choose_numerics(choice: NumericsChoice) -> Numerics:
    """The numerics with every `auto` decided."""
    threads = len(os.sched_getaffinity(0)) if choice.threads == "auto" else choice.threads
    dtype = choice.dtype
    if dtype == "auto":
        before = torch.get_num_threads()
        torch.set_num_threads(threads)
        dtype = _faster_dtype()
        torch.set_num_threads(before)
    return Numerics(dtype=dtype, threads=threads, tokens_per_tree=choice.tokens_per_tree, processes=choice.processes)


def _faster_dtype() -> Literal["float32", "bfloat16"]:
    """By the rate of matrix products, most of a training step. Alternating, so that a busy moment hits both."""
    rates = {torch.float32: 0.0, torch.bfloat16: 0.0}
    for _ in range(3):
        for dtype in rates:
            rates[dtype] = max(rates[dtype], _products_a_second(dtype))
    return "bfloat16" if rates[torch.bfloat16] > _WORTH * rates[torch.float32] else "float32"


def _products_a_second(dtype: torch.dtype) -> float:
    device = compute_device()
    count, width = _SIZE[device.type]
    rows = torch.ones(count, width, dtype=dtype, device=device)
    weight = torch.ones(width, width, dtype=dtype, device=device)
    done, started = 0, time.perf_counter()
    while (elapsed := time.perf_counter() - started) < _SECONDS:
        float((rows @ weight.T)[0, 0])  # reading a number back waits for the device
        done += 1
    return done / elapsed
