import os

from preceptor.engine import Numerics, NumericsChoice, choose_numerics
from preceptor.models import compute_device


def test_what_is_asked_for_is_what_is_used() -> None:
    choice = NumericsChoice(dtype="bfloat16", threads=3, tokens_per_tree=99)
    answers = "float32" if compute_device().type == "cpu" else "bfloat16"
    assert choose_numerics(choice) == Numerics(dtype="bfloat16", threads=3, tokens_per_tree=99, answer_dtype=answers)


def test_answers_have_a_format_of_their_own_that_no_stage_depends_on() -> None:
    numerics = choose_numerics(NumericsChoice(dtype="bfloat16", answer_dtype="float32", threads=1))
    assert numerics.answering.dtype == "float32"
    same = numerics.model_copy(update={"answer_dtype": "bfloat16"})
    assert same.answering.dtype == "bfloat16"
    assert same.model_dump() == numerics.model_dump(), "stages are named by it"
    assert "answer_dtype" not in numerics.model_dump()


def test_auto_is_every_core_and_float32_on_a_cpu_whatever_it_could_do_faster() -> None:
    chosen = choose_numerics(NumericsChoice())
    assert chosen.threads == len(os.sched_getaffinity(0))
    assert chosen.dtype == ("float32" if compute_device().type == "cpu" else "bfloat16")
