"""The controls on a tiny model, in float32: what turned pairs do is the opposite of what pairs as given do."""

from typing import Any

import pytest

from benchmarks import controls
from preceptor.engine import Numerics
from preceptor.models import ModelSource

SIZES = controls.Sizes(train=24, corrected=8, validation=4, held_out=8, context=2000)


def quicker(monkeypatch: pytest.MonkeyPatch, **changes: Any) -> None:
    """A tiny model learns nothing at the rates of a real one."""
    for name, rate in {"SFT": 2e-2, "DPO": 1e-2, "WITH_SFT_TERM": 1e-2, "CORRECTED": 1e-2}.items():
        monkeypatch.setattr(
            controls, name, getattr(controls, name).model_copy(update={"learning_rate": rate} | changes)
        )


@pytest.mark.slow
def test_preferences_move_the_item_both_ways(tiny_source: ModelSource, monkeypatch: pytest.MonkeyPatch) -> None:
    quicker(monkeypatch, epochs=4)
    rows = {row.arm: row for row in controls.copied_forward(tiny_source, Numerics(threads=1), SIZES)}
    sft, before = rows["SFT"], rows["SFT+DPO, settings of before"]
    given, turned = rows["SFT+DPO"], rows["SFT+DPO, pairs turned round"]
    assert given.high < sft.low
    assert turned.low > sft.high
    assert abs(before.probability - sft.probability) < abs(given.probability - sft.probability)
    assert (before.steps, given.steps) == (1, 8)
    assert all(row.low <= row.probability <= row.high and row.dose > 0 for row in rows.values())


def test_stays_differ_in_the_item_alone(tiny_source: ModelSource) -> None:
    stays = controls.draw(tiny_source, SIZES)
    assert (len(stays.train), len(stays.corrections), len(stays.held_out)) == (24, 8, 8)
    for pair, learned in zip(stays.corrections, stays.train, strict=False):
        assert learned.answer in (pair.chosen, pair.rejected)
        assert pair.rejected[: len(pair.chosen) - 1] == pair.chosen[:-1]
    spiked = sum(one.answer == two.rejected for one, two in zip(stays.train, stays.corrections, strict=False))
    assert 0 < spiked < 8
    assert not {tuple(one.prompt) for one in stays.train} & {tuple(one.prompt) for one, _ in stays.held_out}
