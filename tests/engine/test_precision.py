import os

import pytest

from preceptor.engine import Numerics, NumericsChoice, _precision, choose_numerics


def test_what_is_asked_for_is_what_is_used() -> None:
    choice = NumericsChoice(dtype="bfloat16", threads=3, tokens_per_tree=99)
    assert choose_numerics(choice) == Numerics(dtype="bfloat16", threads=3, tokens_per_tree=99)


def test_auto_is_every_core_and_a_format_this_machine_has() -> None:
    chosen = choose_numerics(NumericsChoice())
    assert chosen.threads == len(os.sched_getaffinity(0))
    assert chosen.dtype in ("float32", "bfloat16")


@pytest.mark.parametrize(("gain", "dtype"), [(0.6, "float32"), (1.2, "float32"), (2.0, "bfloat16")])
def test_16_bits_must_be_worth_it(gain: float, dtype: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_precision, "_products_a_second", lambda dtype: gain if dtype.itemsize == 2 else 1.0)
    assert choose_numerics(NumericsChoice(threads=1)).dtype == dtype
