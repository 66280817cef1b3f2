from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from preceptor.study import Study, load_study
from preceptor.study._forecast import Speed, forecast
from preceptor.study._prepare import Prepared, check_task, prepare, read_task
from tiny_study import write_study, write_table

SPEED = Speed(train=3e-3, forward=1e-3, decode=2e-2)


def prepared(
    folder: Path, tokenizer: Any, limit: dict[str, int] | None = None, **changes: Any
) -> tuple[Study, Prepared]:
    write_table(folder / "cases.csv", patients=150)
    data = {"path": "cases.csv", "target": "urgency", "group": "patient"}
    entry = {"task": "urgency.task.yaml", "data": data, "limit": limit or {}}
    study, base = load_study(str(write_study(folder, Path("unused"), tasks=[entry], **changes)))
    return study, prepare(check_task(read_task(study.tasks[0], study, base), study, tokenizer), study, tokenizer)


def test_a_limit_takes_whole_patients_in_the_order_of_the_data(tmp_path: Path, tiny_tokenizer: Any) -> None:
    _, whole = prepared(tmp_path, tiny_tokenizer)
    limits = {"train": 31, "validation": 4, "test": 12}
    _, limited = prepared(tmp_path, tiny_tokenizer, limits)
    for split, limit in limits.items():
        every, taken = getattr(whole.splits, split), getattr(limited.splits, split)
        assert limit - 1 <= len(taken) <= limit, "patients have at most two cases, so one place at most stays free"
        all_cases, cases = Counter(one.group for one in every), Counter(one.group for one in taken)
        assert all(all_cases[patient] == count for patient, count in cases.items())
        ids = [one.id for one in every]
        assert [ids.index(one.id) for one in taken] == sorted(ids.index(one.id) for one in taken)
    assert len(limited.train) == len(limited.splits.train)
    assert len(limited.test) == len(limited.splits.test)


def test_the_draw_depends_on_the_split_seed_alone(tmp_path: Path, tiny_tokenizer: Any) -> None:
    limit = {"train": 20, "test": 10}

    def drawn(**changes: Any) -> list[str]:
        return [one.id for one in prepared(tmp_path, tiny_tokenizer, limit, **changes)[1].splits.test]

    assert drawn() == drawn(seeds=[5], max_length=300)
    assert drawn() != drawn(split_seed=1)


def test_no_patient_is_on_two_sides(tmp_path: Path, tiny_tokenizer: Any) -> None:
    _, one = prepared(tmp_path, tiny_tokenizer)
    groups = [{e.group for e in part} for part in (one.splits.train, one.splits.validation, one.splits.test)]
    assert sum(map(len, groups)) == len(set().union(*groups)) == 150


def test_every_arm_sees_the_same_prompt_and_no_test_answer(tmp_path: Path, tiny_tokenizer: Any) -> None:
    _, one = prepared(tmp_path, tiny_tokenizer)
    shown = tiny_tokenizer.decode(one.test[0])
    assert one.splits.test[0].fields["note"] in shown
    assert shown.endswith("<|im_start|>assistant\n")
    assert tiny_tokenizer.decode(one.train[0].answer) == one.splits.train[0].target + "<|im_end|>"


def test_the_forecast_grows_with_cases_arms_seeds_and_epochs(tmp_path: Path, tiny_tokenizer: Any) -> None:
    def seconds(limit: dict[str, int], **changes: Any) -> float:
        study, one = prepared(tmp_path, tiny_tokenizer, limit, **changes)
        return forecast(study, [one], SPEED)

    few = {"train": 20, "validation": 4, "test": 10}
    least = seconds(few)
    assert least > 0
    by_split = [seconds(few | {split: 3 * few[split]}) for split in few]
    assert all(more > least for more in by_split)
    assert seconds({}) > max(by_split)
    assert seconds(few, arms=["base"]) < seconds(few, arms=["base", "sft"]) < least
    assert seconds(few, seeds=[0, 1]) > least
    assert seconds(few, sft={"epochs": 9}) > seconds(few, sft={"epochs": 4})
    assert seconds(few, pairs={"limit": 2}) < seconds(few, pairs={"limit": 20})
    assert seconds(few, arms=["base"], seeds=[0, 1]) == pytest.approx(seconds(few, arms=["base"])), "answered once"


def test_a_forecast_of_two_tasks_is_the_sum(tmp_path: Path, tiny_tokenizer: Any) -> None:
    study, one = prepared(tmp_path, tiny_tokenizer)
    assert forecast(study, [one, one], SPEED) == pytest.approx(2 * forecast(study, [one], SPEED))
