from collections import Counter
from pathlib import Path
from typing import Any

from preceptor.study import Study, load_study
from preceptor.study.cases import Prepared, check_task, prepare, read_task
from tiny_study import write_study, write_table


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
