"""The number format and threads of a study that names none: decided once, then kept with it."""

import os

from preceptor.engine.settings import Numerics, NumericsChoice
from preceptor.models import compute_device


def choose_numerics(choice: NumericsChoice) -> Numerics:
    """The numerics with every `auto` decided.

    float32 on a CPU, whatever it could do faster: what a machine is good at must not decide a result. bfloat16 on an
    accelerator, where float32 is out of the question for speed.

    Answers are float32 on a CPU also after training in bfloat16, and what the training is on an accelerator. In 16
    bits a case's numbers depend on the cases that are computed with it, so that near ties fall otherwise when it is
    served alone.
    """
    threads = len(os.sched_getaffinity(0)) if choice.threads == "auto" else choice.threads
    dtype = choice.dtype
    if dtype == "auto":
        dtype = "float32" if compute_device().type == "cpu" else "bfloat16"
    answer_dtype = choice.answer_dtype
    if answer_dtype == "auto":
        answer_dtype = "float32" if compute_device().type == "cpu" else dtype
    decided = {"dtype": dtype, "threads": threads, "answer_dtype": answer_dtype}
    return Numerics(**{**choice.model_dump(), **decided})
