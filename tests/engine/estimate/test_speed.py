"""How fast a model is, is read off a few of its trees."""

import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from preceptor.engine import MEASUREMENTS, Numerics, Speed, Unit, measure
from preceptor.engine.estimate.speed import _renumbered, line_through
from preceptor.models import (
    HEAD,
    AdapterSettings,
    Encoded,
    Policy,
    SlotSettings,
    adapter_slots,
    context_length,
    random_model,
)

PARTS = st.floats(0.01, 100)
CASES = [Encoded([1] * n + [k], [2, 3]) for n in (5, 50, 200) for k in range(5)]


@given(PARTS, PARTS, st.integers(1, 500), st.integers(1, 1000))
def test_a_line_is_found_again(fixed: float, each: float, tokens: int, more: int) -> None:
    points = [(count, fixed + each * count) for count in (tokens, tokens + more)]
    found = line_through(points)
    for count, seconds in points:
        assert found[0] + found[1] * count == pytest.approx(seconds, rel=1e-3)


@pytest.mark.parametrize("small", [(10, 1.0), (20, 0.5), (20, 2.0), (1, 0.0)])
def test_no_part_is_below_nothing(small: tuple[int, float]) -> None:
    found = line_through([small, (20, 0.5)])
    assert min(found) >= 0
    assert 0 < found[0] + found[1] * 20 <= max(0.5, small[1])


def test_seconds_add_up() -> None:
    lines = {
        "train": (1, 0.5),
        "score": (2, 0.1),
        "read": (3, 0.2),
        "write": (4, 0.3),
        "save": (12, 0),
    }
    speed = Speed(lines, start=100)
    trees = [Unit("train", 3, 4), Unit("score", 2, 5)]
    beside = [Unit("read", 1, 10), Unit("write", 7, 2), Unit("save", 2)]
    training, rest = 3 * (1 + 0.5 * 4) + 2 * (2 + 0.1 * 5), 3 + 0.2 * 10 + 7 * (4 + 0.3 * 2) + 24
    assert speed.seconds(trees + beside) == pytest.approx(100 + training + rest)
    assert speed.seconds(trees + beside, processes=2) == pytest.approx(100 + training / 2 + rest)
    assert speed.seconds([]) == 100


@pytest.mark.parametrize("adapter", [None, AdapterSettings(rank=4)])
def test_a_tiny_model_is_measured_and_nothing_is_left_of_it(
    tiny_source: Any, tmp_path: Path, adapter: AdapterSettings | None
) -> None:
    def make() -> Policy:
        return Policy(random_model(tiny_source, adapter_slots(adapter), torch.float32), None, tiny_source)

    measured: list[float] = []
    torch.set_num_threads(2)
    before = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()
    speed = measure(make, CASES, Numerics(threads=1), tmp_path, lambda units=1: measured.append(units))
    assert before == (random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist())
    assert torch.get_num_threads() == 2
    assert list(tmp_path.iterdir()) == []
    assert sum(measured) == MEASUREMENTS
    assert speed.shares
    assert speed.start > 0
    for kind in ("train", "score", "read", "write"):
        assert speed.seconds([Unit(kind, 1, 100)]) > speed.start
    assert speed.lines["save"][0] > 0
    twice = measure(make, CASES, Numerics(threads=1), tmp_path, scale=1000.0)
    assert twice.start > speed.start


def test_a_model_that_only_answers_is_not_trained(tiny_source: Any, tmp_path: Path) -> None:
    def make() -> Policy:
        return Policy(random_model(tiny_source, {}, torch.float32).requires_grad_(False), None, tiny_source)

    measured: list[float] = []
    speed = measure(make, CASES, Numerics(threads=1), tmp_path, lambda n=1: measured.append(n), trains=False)
    assert speed.lines.keys() == {"score", "read", "write"}
    assert sum(measured) == MEASUREMENTS
    assert speed.seconds([Unit("write", 1, 8)]) > speed.start > 0


def test_an_encoder_is_measured_in_padded_batches(encoder_source: Any, tmp_path: Path) -> None:
    slots = {"head": SlotSettings(type=HEAD, outputs=3)}

    def make() -> Policy:
        return Policy(random_model(encoder_source, slots, torch.float32), None, encoder_source, slots)

    cases = [Encoded([1] * 70, []) for _ in range(9)]
    speed = measure(make, cases, Numerics(threads=1), tmp_path)
    assert not speed.shares
    assert speed.lines.keys() == {"train", "score", "read", "save"}
    for kind in ("train", "score"):
        assert speed.seconds([Unit(kind, 1, 100)]) > speed.start


def test_cases_longer_than_the_positions_are_measured_in_chunks(encoder_source: Any, tmp_path: Path) -> None:
    slots = {"head": SlotSettings(type=HEAD, outputs=3, chunk_length=64)}

    def make() -> Policy:
        return Policy(random_model(encoder_source, slots, torch.float32), None, encoder_source, slots)

    longest = context_length(encoder_source)
    assert longest is not None
    speed = measure(make, [Encoded([1] * (longest + 100), []) for _ in range(3)], Numerics(threads=1), tmp_path)
    assert speed.seconds([Unit("train", 1, 100)]) > speed.start


def test_it_can_be_interrupted(tiny_source: Any, tmp_path: Path) -> None:
    def make() -> Policy:
        return Policy(random_model(tiny_source, {}, torch.float32), None, tiny_source)

    def stop(units: float = 1) -> None:
        raise KeyboardInterrupt

    threads = torch.get_num_threads()
    with pytest.raises(KeyboardInterrupt):
        measure(make, CASES, Numerics(threads=threads + 1), tmp_path, stop)
    assert torch.get_num_threads() == threads
    assert list(tmp_path.iterdir()) == []


def test_cases_are_measured_under_other_ids() -> None:
    cases = [Encoded([700, 900, 800], [900, 5]), Encoded([700, 900], [6])]
    assert _renumbered(cases) == [Encoded([0, 1, 2], [1, 3]), Encoded([0, 1], [4])]
