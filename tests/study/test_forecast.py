"""How long a study takes is told from what is left of it."""

from pathlib import Path
from typing import Any

import pytest

from preceptor.study._forecast import Speed, forecast
from preceptor.study._plan import Left
from prepared_study import prepare_tiny

SPEED = Speed(train=3e-3, forward=1e-3, decode=2e-2)
STAGES, ANSWERS = ("sft", "sft+dpo"), ("base", "sft", "sft+dpo")
FEW = {"train": 20, "validation": 4, "test": 10}


def test_the_forecast_grows_with_cases_and_settings(tmp_path: Path, tiny_tokenizer: Any) -> None:
    def seconds(limit: dict[str, int], **changes: Any) -> float:
        study, one = prepare_tiny(tmp_path, tiny_tokenizer, limit=limit, **changes)
        return forecast(study, [Left(one, STAGES, ANSWERS)], SPEED)

    least = seconds(FEW)
    assert least > 0
    by_split = [seconds(FEW | {split: 3 * FEW[split]}) for split in FEW]
    assert all(more > least for more in by_split)
    assert seconds({}) > max(by_split)
    assert seconds(FEW, sft={"epochs": 9}) > seconds(FEW, sft={"epochs": 4})
    assert seconds(FEW, pairs={"limit": 2}) < seconds(FEW, pairs={"limit": 20})


def test_each_thing_left_adds_its_part(tmp_path: Path, tiny_tokenizer: Any) -> None:
    study, one = prepare_tiny(tmp_path, tiny_tokenizer, limit=FEW)

    def seconds(stages: tuple[str, ...], answers: tuple[str, ...]) -> float:
        return forecast(study, [Left(one, stages, answers)], SPEED)

    assert seconds((), ()) == 0
    assert seconds(STAGES, ANSWERS) == pytest.approx(seconds(STAGES, ()) + seconds((), ANSWERS))
    assert seconds(("sft", "sft"), ()) == pytest.approx(2 * seconds(("sft",), ()))
    assert 0.5 < seconds(("sft+sft",), ()) / seconds(("sft+dpo",), ()) < 1.5, "for as much as DPO takes"
    assert seconds((), ("base+shots",)) > seconds((), ("base",)) > seconds((), ("endpoint",)) == 0
    assert 0 < seconds((), ("tfidf",)) < 30
    whole = Left(one, STAGES, ANSWERS)
    assert forecast(study, [whole, whole], SPEED) == pytest.approx(2 * forecast(study, [whole], SPEED))
