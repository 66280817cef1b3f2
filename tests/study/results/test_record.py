"""What the results say of the data: how many held-out cases are too easy, and never which."""

from pathlib import Path
from typing import Any

from preceptor.study import load_study
from preceptor.study.cases import check_task, read_task
from preceptor.study.results.record import _leakage
from prepared_study import prepare_tiny
from tiny_study import write_study, write_table


def test_held_out_cases_that_repeat_a_training_case_are_counted_without_their_ids(
    tmp_path: Path, tiny_tokenizer: Any
) -> None:
    write_table(tmp_path / "cases.csv", patients=80)
    header, *rows = (tmp_path / "cases.csv").read_text().splitlines()
    repeated = [row.replace("P0", "Q0", 1) for row in rows[:6]]
    for split, lines in {"train": rows[:50], "validation": rows[50:60], "test": [*rows[60:], *repeated]}.items():
        (tmp_path / f"{split}.csv").write_text("\n".join([header, *lines]) + "\n")
    path = {split: f"{split}.csv" for split in ("train", "validation", "test")}
    data = {"path": path, "target": "urgency", "group": "patient"}
    file = write_study(tmp_path, Path("unused"), tasks=[{"task": "urgency.task.yaml", "data": data}])
    study, base = load_study(str(file))
    checked = check_task(read_task(study.tasks[0], study, base), study, tiny_tokenizer)
    (told,) = _leakage(checked)
    assert told.endswith("test cases nearly repeat the text of a case in an earlier split")
    assert int(told.split()[0]) >= 6
    assert not any(example.id in told for example in checked.splits.test)


def test_the_test_set_has_one_name_whatever_is_asked_of_it(tmp_path: Path, tiny_tokenizer: Any) -> None:
    def name(**changes: Any) -> str:
        return prepare_tiny(tmp_path, tiny_tokenizer, **changes)[1].test_set

    assert name() == name(max_length=60) == name(task={"instruction": "Say one word."}, seeds=[5])
    assert name() != name(split_seed=1)
