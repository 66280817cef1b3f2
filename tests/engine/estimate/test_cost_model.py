"""How fast a model is, is read off a few of its trees."""

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from preceptor.engine import CostModel, Operations, Speed, Trees, Workload, Writing, time_model
from preceptor.engine.estimate.cost_model import fit_cost_model
from preceptor.models import AdapterSettings, Encoded, Policy, random_model

PARTS = st.floats(0.01, 100)


@given(PARTS, PARTS, PARTS)
def test_a_cost_model_is_found_again(flop: float, attention: float, layer: float) -> None:
    cost_model = CostModel(flop * 1e-11, attention * 1e-8, layer * 1e-3)
    work = [(1e10, 1e6, 30.0), (4e11, 2e7, 30.0), (1e12, 2e8, 30.0)]
    found = fit_cost_model(work, [cost_model.seconds(*one) for one in work])
    for one in work:
        assert found.seconds(*one) == pytest.approx(cost_model.seconds(*one), rel=1e-3)


def test_no_part_is_below_nothing() -> None:
    found = fit_cost_model([(1.0, 1.0, 1.0), (2.0, 4.0, 1.0), (3.0, 9.0, 1.0)], [1.0, 0.5, 0.4])
    assert min(found.flop, found.attention, found.layer) >= 0


def test_seconds_add_up() -> None:
    speed = Speed(
        layers=2,
        operations=Operations(body=10, head=5, training=2),
        train=CostModel(1, 0.1, 3),
        forward=CostModel(0.5, 0.1, 1),
        write=CostModel(0.1, 0.01, 2),
        step=7,
        first_step=1000,
        start=100,
        saving=12,
    )
    trees = Trees(count=3, tokens=4, seen=9, rows=2, attention_pairs=20)
    training = 10 * 4 + 5 * 2 + 0.1 * 2 * 20 + 3 * 2 * 3
    forward = 0.5 * (10 * 4 + 5 * 2) + 0.1 * 2 * 20 + 2 * 3
    work = Workload(train=trees, forward=trees, read=trees, writing=Writing(5, 6, 7), steps=2, evaluations=1)
    writing = 0.1 * 15 * 6 + 0.01 * 2 * 7 + 2 * 2 * 5
    beside = 100 + 2 * 7 + 1000 + 12 + 4  # the weights, which are kept at the end, are a third of a checkpoint
    assert speed.seconds(work) == pytest.approx(training + 2 * forward + writing + beside)
    assert speed.seconds(work, processes=2) == pytest.approx((training + 2 * forward) / 2 + writing + beside)
    assert speed.seconds(Workload(forward=trees)) == pytest.approx(forward + 100)


@pytest.mark.parametrize("adapter", [None, AdapterSettings(rank=4)])
def test_a_tiny_model_is_timed(tiny_source: Any, adapter: AdapterSettings | None) -> None:
    policy = Policy(random_model(tiny_source, adapter, torch.float32), None, tiny_source, adapter)
    cases = [[Encoded([1] * n + [k], [2, 3]) for k in range(5)] for n in (5, 50, 200)]
    speed = time_model(policy, 2, cases, [[1] * 5, [1] * 100])
    assert speed.shares
    assert speed.step > 0
    assert speed.first_step >= 0
    for cost_model in (speed.train, speed.forward, speed.write):
        assert cost_model.seconds(1e6, 1e4, 2) > 0
    assert all(weight.grad is None for weight in policy.model.parameters())
