"""The program that holds plans against what was measured, on a study of the tiny model."""

from pathlib import Path

import pytest
from benchmarks.plan import BOUND, CASES, _row, measured


@pytest.mark.slow
def test_a_case_is_planned_and_done(tiny_model_folder: Path) -> None:
    tasks = [
        {
            "task": "text_classification",
            "data": {"cases": 60, "seed": 2},
            "limit": {"train": 8, "validation": 4, "test": 4},
        }
    ]
    case = {"arms": ["sft+dpo"], "tasks": tasks, "sft": {"epochs": 1}, "max_length": 2048}
    done = measured("tiny", case | {"model": lambda _: str(tiny_model_folder)})
    assert {kind for kind, *_ in done["ledgers"]} == {"sft", "pairs", "dpo"}
    assert [what for what, *_ in done["stages"]] == ["SFT", "pairs", "DPO", "answers of sft+dpo"]
    for unit in ("seconds", "bytes"):
        row = _row("what", "tiny", done, unit, 1.0)
        assert row.ours > 0
        assert row.ratio == row.ours / row.peer
        assert row.holds == (1 / BOUND <= row.ratio <= BOUND)


def test_there_are_cases_of_every_kind() -> None:
    assert len(CASES) >= 6
    assert {arm for case in CASES.values() for arm in case["arms"]} == {"base", "sft", "sft+dpo"}
