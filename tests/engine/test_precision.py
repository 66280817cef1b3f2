import os

from preceptor.engine import Numerics, NumericsChoice, choose_numerics
from preceptor.models import compute_device


def test_what_is_asked_for_is_what_is_used() -> None:
    choice = NumericsChoice(dtype="bfloat16", threads=3, tokens_per_tree=99)
    assert choose_numerics(choice) == Numerics(dtype="bfloat16", threads=3, tokens_per_tree=99)


def test_auto_is_every_core_and_float32_on_a_cpu_whatever_it_could_do_faster() -> None:
    chosen = choose_numerics(NumericsChoice())
    assert chosen.threads == len(os.sched_getaffinity(0))
    assert chosen.dtype == ("float32" if compute_device().type == "cpu" else "bfloat16")
