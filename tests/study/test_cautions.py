"""What `check` says of stages that can be trained and may be trained in vain."""

import io
import re
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

import labels_study
from preceptor.study import check_study, load_study
from preceptor.study.cases import check_task, read_task
from preceptor.study.check_cases import cautions
from tiny_study import write_study, write_table

TEXT = {"answer": {"kind": "text", "max_new_tokens": 6}, "metric": "rouge_l", "also": []}


ENOUGH = {"epochs": 100}


def said(folder: Path, tokenizer: Any, sft: dict[str, Any] | None = None, **changes: Any) -> list[str]:
    changes["sft"] = ENOUGH | (sft or {})
    study, base = load_study(str(write_study(folder, Path("unused"), **changes)))
    checked = check_task(read_task(study.tasks[0], study, base), study, tokenizer)
    return [str(one) for one in cautions(study, checked)]


@pytest.mark.parametrize("makers", [[], ["hardest_label"], ["on_policy"], ["hardest_label", "on_policy"]])
def test_dpo_on_bare_labels_can_only_repeat_cross_entropy(
    tmp_path: Path, tiny_tokenizer: Any, makers: list[str]
) -> None:
    found = said(tmp_path, tiny_tokenizer, makers=makers)
    assert len(found) == max(1, len(makers))
    assert all("urgency, sft+dpo" in one and "p - e_y" in one and "can only repeat it" in one for one in found)


@pytest.mark.parametrize(
    "changes",
    [
        {"arms": ["base", "sft"]},
        {"task": TEXT},
        {"pairs": {"order": "flipped"}},
        {"arms": ["base", "sft", "sft+chosen"]},
    ],
    ids=["no DPO", "texts", "pairs turned round", "SFT on chosen"],
)
def test_nothing_is_said_where_pairs_say_more_or_nothing_is_preferred(
    tmp_path: Path, tiny_tokenizer: Any, changes: dict[str, Any]
) -> None:
    assert said(tmp_path, tiny_tokenizer, **changes) == []


def test_rejected_labels_of_the_data_are_no_labels_of_the_policy(tmp_path: Path, tiny_tokenizer: Any) -> None:
    table = write_table(tmp_path / "cases.csv")
    head, *rows = table.read_text().splitlines()
    other = {"urgent": "routine", "routine": "urgent"}
    table.write_text("\n".join([f"{head},worse", *(f"{row},{other[row.split(',')[-3]]}" for row in rows)]) + "\n")
    data = {"path": "cases.csv", "target": "urgency", "group": "patient", "rejected": "worse"}
    tasks = [{"task": "urgency.task.yaml", "data": data}]
    assert said(tmp_path, tiny_tokenizer, tasks=tasks) == []
    assert len(said(tmp_path, tiny_tokenizer, tasks=tasks, makers=["hardest_label"])) == 1


def test_a_setting_of_labels_without_labels_is_told(tmp_path: Path, tiny_tokenizer: Any) -> None:
    (found,) = said(tmp_path, tiny_tokenizer, arms=["base", "sft"], task=TEXT, sft={"label_balance": "class_weights"})
    assert "label_balance of `sft` does nothing here" in found
    assert said(tmp_path, tiny_tokenizer, arms=["base", "sft"], sft={"label_balance": "class_weights"}) == []


@pytest.mark.parametrize(
    ("task", "learnt"), [({}, "choosing labels has taken about 100"), (TEXT, "writing answers has taken about 40")]
)
def test_sft_that_ends_before_much_can_have_been_learnt_is_told_and_the_remedy_helps(
    tmp_path: Path, tiny_tokenizer: Any, task: dict[str, Any], learnt: str
) -> None:
    changes: dict[str, Any] = {"arms": ["sft", "sft+chosen", "sft+sft"], "task": task}
    (told,) = said(tmp_path, tiny_tokenizer, sft={"epochs": 2, "batch_size": 4}, **changes)
    assert "`sft` takes" in told
    assert learnt in told
    (epochs,) = re.findall(r"(\d+) epochs", told)
    assert said(tmp_path, tiny_tokenizer, sft={"epochs": int(epochs), "batch_size": 4}, **changes) == []
    assert said(tmp_path, tiny_tokenizer, sft={"epochs": int(epochs) - 1, "batch_size": 4}, **changes) != []


def test_check_prints_it_and_goes_on(tmp_path: Path, tiny_model_folder: Path) -> None:
    study, base = load_study(str(write_study(tmp_path, tiny_model_folder)))
    out = io.StringIO()
    assert len(check_study(study, base, Console(file=out, width=400))) == 1
    assert out.getvalue().count("can only repeat it") == 1
    assert "warning" in out.getvalue()


def test_labels_of_which_a_case_has_several_are_not_balanced(tmp_path: Path, tiny_tokenizer: Any) -> None:
    labels_study.write_table(tmp_path / "cases.csv", patients=60)
    changes: dict[str, Any] = {"task": labels_study.TASK, "arms": ["classify"]}
    (told,) = said(tmp_path, tiny_tokenizer, classify={"label_balance": "class_weights"}, **changes)
    assert "label_balance of `classify` does nothing here: a case has several labels" in told
    assert said(tmp_path, tiny_tokenizer, **changes) == []
