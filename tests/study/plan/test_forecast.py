"""How long a study takes is told from what is left of it."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from preceptor.engine import Numerics, Operations, Pace, Speed
from preceptor.models import fingerprint
from preceptor.progress import progress
from preceptor.study.answers.arms import answers_key, cell_folder
from preceptor.study.plan.forecast import forecast
from preceptor.study.plan.remaining import Begun, Left, what_is_left
from preceptor.study.run.failures import ANSWERS
from preceptor.study.run.folder import RunFolder
from preceptor.study.stages.tree import NotDoneYet, Workshop
from prepared_study import prepare_tiny

SPEED = Speed(
    layers=2,
    operations=Operations(body=1e6, head=1e5, training=2.0),
    train=Pace(3e-9, 1e-6, 1e-3),
    forward=Pace(1e-9, 1e-6, 1e-3),
    write=Pace(1e-9, 1e-7, 1e-2),
    step=0.01,
    first_step=0.02,
    start=0.1,
    saving=0.1,
)
STAGES, ARMS = ("sft", "sft+dpo"), ("base", "sft", "sft+dpo")
FEW = {"train": 20, "validation": 4, "test": 10}


def test_the_forecast_grows_with_cases_and_settings(tmp_path: Path, tiny_tokenizer: Any) -> None:
    def seconds(limit: dict[str, int], **changes: Any) -> float:
        study, one = prepare_tiny(tmp_path, tiny_tokenizer, limit=limit, **changes)
        return forecast(study, [Left(one, STAGES, ARMS)], SPEED)

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
    assert seconds(STAGES, ARMS) == pytest.approx(seconds(STAGES, ()) + seconds((), ARMS))
    assert seconds(("sft", "sft"), ()) == pytest.approx(2 * seconds(("sft",), ()))
    assert 0.5 < seconds(("sft+sft",), ()) / seconds(("sft+dpo",), ()) < 1.5, "for as much as DPO takes"
    assert seconds((), ("base+shots",)) > seconds((), ("base",)) > seconds((), ("endpoint",)) == 0
    assert 0 < seconds((), ("tfidf",)) < 30
    whole = Left(one, STAGES, ARMS)
    assert forecast(study, [whole, whole], SPEED) == pytest.approx(2 * forecast(study, [whole], SPEED))


def test_what_was_done_before_a_study_was_stopped_is_not_counted_again(tmp_path: Path, tiny_tokenizer: Any) -> None:
    study, one = prepare_tiny(tmp_path, tiny_tokenizer, limit=FEW)

    def seconds(*begun: Begun) -> float:
        return forecast(study, [Left(one, ("sft", "sft"), ("base",), begun)], SPEED)

    whole, sft = seconds(), forecast(study, [Left(one, ("sft",), ())], SPEED)
    assert seconds(Begun("sft", "SFT", 0.5)) == pytest.approx(whole - sft / 2)
    assert seconds(Begun("sft", "SFT", 0.5), Begun("base", ANSWERS, 1.0)) == pytest.approx(1.5 * sft)


def test_how_far_a_stopped_study_came_is_found_in_its_folder(
    tmp_path: Path, tiny_source: Any, tiny_tokenizer: Any
) -> None:
    study, one = prepare_tiny(tmp_path, tiny_tokenizer, limit=FEW)
    run = RunFolder(tmp_path / "run")
    workshop = Workshop(study, Numerics(threads=1), tiny_source, fingerprint(tiny_source), run, progress)
    left = what_is_left(workshop, one)
    assert (left.stages, left.answers, left.begun) == (("sft", "sft+dpo"), ("base", "sft", "sft+dpo"), ())

    with pytest.raises(NotDoneYet) as missing:
        replace(workshop, looking=True).stages("sft", one, 0)
    checkpoint = missing.value.folder / "checkpoints" / "checkpoint-3"
    checkpoint.mkdir(parents=True)
    (checkpoint / "trainer_state.json").write_text('{"global_step": 3, "max_steps": 12}')
    base = cell_folder(workshop, one, "base", 0)
    base.mkdir(parents=True)
    key = answers_key(workshop, one, "base", 0, [])
    rows = [{"key": key}, {"seconds": 1.0, "texts": {"0": "", "1": ""}}]
    (base / "predictions.part.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows) + '{"torn')
    found = what_is_left(workshop, one).begun
    assert found == (Begun("sft", "SFT", 0.25), Begun("base", ANSWERS, 2 / len(one.test)))
