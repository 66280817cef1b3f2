"""How long a study takes is told from what is left of it."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from preceptor.engine import Numerics, Speed
from preceptor.models import AdapterSettings, adapter_slots, blueprint, fingerprint
from preceptor.progress import progress
from preceptor.study.plan.forecast import forecast
from preceptor.study.plan.remaining import RemainingWork, remaining_work
from preceptor.study.predictions.answering import answers_key, cell_folder
from preceptor.study.run.folder import RunFolder
from preceptor.study.stage_tree.tree import MissingStage, StageTree
from prepared_study import prepare_tiny

SPEED = Speed(
    {
        "train": (2e-3, 3e-3),
        "score": (2e-3, 1e-3),
        "read": (2e-3, 1e-3),
        "write": (2e-2, 1e-3),
        "save": (0.1, 0.0),
    },
    start=0.1,
)
STAGES, ARMS = ("SFT", "pairs", "DPO"), ("base", "sft", "sft+dpo")
ALL_ARMS = ["base", "base+shots", "sft", "sft+dpo", "sft+sft", "tfidf", "endpoint"]
SERVER = {"url": "http://127.0.0.1:9/v1", "model": "m"}
NUMERICS = Numerics()
FEW = {"train": 20, "validation": 4, "test": 10}


def remaining(study: Any, one: Any, stages: tuple[str, ...], answers: tuple[str, ...], share: float = 1) -> Any:
    """The stages of these titles and the answers of these arms, as often as they are named."""
    work = RemainingWork(one, {}, {})
    known = {stage.title: stage for arm in study.arm_names if (last := study.stage_of(arm)) for stage in last.required}
    for title in stages:
        work.stages.setdefault(known[title], []).append(share)
    for arm in answers:
        work.answers.setdefault(arm, []).append(share)
    return work


@pytest.fixture(scope="module")
def model(tiny_source: Any) -> Any:
    """The tiny model without numbers."""
    return blueprint(tiny_source, adapter_slots(AdapterSettings(rank=4)), torch.float32)


def test_the_forecast_grows_with_cases_and_settings(tmp_path: Path, tiny_tokenizer: Any, model: Any) -> None:
    def seconds(limit: dict[str, int], **changes: Any) -> float:
        study, one = prepare_tiny(tmp_path, tiny_tokenizer, limit=limit, **changes)
        return forecast(
            study, [remaining(study, one, STAGES, ARMS)], {(None, NUMERICS): (SPEED, model)}, Path(), NUMERICS
        )

    least = seconds(FEW)
    assert least > 0
    by_split = [seconds(FEW | {split: 3 * FEW[split]}) for split in FEW]
    assert all(more > least for more in by_split)
    assert seconds({}) > max(by_split)
    assert seconds(FEW, sft={"epochs": 9}) > seconds(FEW, sft={"epochs": 4})
    assert seconds(FEW, pairs={"limit": 2}) < seconds(FEW, pairs={"limit": 20})


def test_everything_that_remains_adds_its_part(tmp_path: Path, tiny_tokenizer: Any, model: Any) -> None:
    study, one = prepare_tiny(tmp_path, tiny_tokenizer, limit=FEW, arms=ALL_ARMS, endpoint=SERVER)

    def seconds(stages: tuple[str, ...], answers: tuple[str, ...], share: float = 1) -> float:
        return forecast(
            study, [remaining(study, one, stages, answers, share)], {(None, NUMERICS): (SPEED, model)}, Path(), NUMERICS
        )

    assert seconds((), ()) == 0
    assert seconds(STAGES, ARMS) == pytest.approx(seconds(STAGES, ()) + seconds((), ARMS))
    assert seconds(("SFT", "SFT"), ()) == pytest.approx(2 * seconds(("SFT",), ()))
    assert 0.5 < seconds(("SFT continued",), ()) / seconds(("pairs", "DPO"), ()) < 1.5, "for as much as DPO takes"
    assert seconds((), ("base+shots",)) > seconds((), ("base",)) > seconds((), ("endpoint",)) == 0
    assert 0 < seconds((), ("tfidf",)) < 30
    assert seconds(STAGES, ARMS, 0.5) == pytest.approx(seconds(STAGES, ARMS) / 2)
    whole = remaining(study, one, STAGES, tuple(ALL_ARMS))
    assert forecast(study, [whole, whole], {(None, NUMERICS): (SPEED, model)}, Path(), NUMERICS) == pytest.approx(
        2 * forecast(study, [whole], {(None, NUMERICS): (SPEED, model)}, Path(), NUMERICS)
    )


def test_how_far_a_stopped_study_came_is_found_in_its_folder(
    tmp_path: Path, tiny_source: Any, tiny_tokenizer: Any
) -> None:
    study, one = prepare_tiny(tmp_path, tiny_tokenizer, limit=FEW)
    run = RunFolder(tmp_path / "run")
    tree = StageTree(study, Numerics(threads=1), tiny_source, fingerprint(tiny_source), run, progress)
    found = remaining_work(tree, one)
    assert {stage.title: shares for stage, shares in found.stages.items()} == {"SFT": [1], "pairs": [1], "DPO": [1]}
    assert found.answers == {"base": [1], "sft": [1], "sft+dpo": [1]}

    missing = tree.find("sft+dpo", one, 0)
    assert isinstance(missing, MissingStage)
    assert missing.stage.title == "SFT"
    checkpoint = missing.folder / "checkpoints" / "checkpoint-3"
    checkpoint.mkdir(parents=True)
    (checkpoint / "trainer_state.json").write_text('{"global_step": 3, "max_steps": 12}')
    base = cell_folder(tree, one, "base", 0)
    base.mkdir(parents=True)
    key = answers_key(tree, one, "base", 0, [])
    rows = [{"key": key}, {"seconds": 1.0, "texts": {"0": "", "1": ""}}]
    (base / "predictions.part.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows) + '{"torn')
    found = remaining_work(tree, one)
    assert {stage.title: shares for stage, shares in found.stages.items()} == {"SFT": [0.75], "pairs": [1], "DPO": [1]}
    assert found.answers == {"base": [1 - 2 / len(one.test)], "sft": [1], "sft+dpo": [1]}
