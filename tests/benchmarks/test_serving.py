"""The benchmark of serving, once through on the tiny model."""

from pathlib import Path

import pytest

from benchmarks import serving


@pytest.mark.slow
def test_every_answer_is_compared_and_both_sides_are_timed(tiny_model_folder: Path) -> None:
    rate, wait, alike = serving.measure("numeric_classification", 12, str(tiny_model_folder), turns=1)
    assert (alike.ours, alike.holds) == (1.0, True)
    assert rate.ratio == pytest.approx(rate.ours / rate.peer)
    assert min(rate.ours, rate.peer, wait.ours, wait.peer) > 0
