"""The number format and threads of a study that names none: decided once, then kept with it."""

import os

from preceptor.engine.settings import Numerics, NumericsChoice
from preceptor.models import compute_device


def choose_numerics(choice: NumericsChoice) -> Numerics:
    """The numerics with every `auto` decided.

    float32 on a CPU, whatever it could do faster: what a machine is good at must not decide a result. bfloat16 on an
    accelerator, where float32 is out of the question for speed.
    """
    threads = len(os.sched_getaffinity(0)) if choice.threads == "auto" else choice.threads
    dtype = choice.dtype
    if dtype == "auto":
        dtype = "float32" if compute_device().type == "cpu" else "bfloat16"
    return Numerics(dtype=dtype, threads=threads, tokens_per_tree=choice.tokens_per_tree, processes=choice.processes)
