"""Arms that do with a few cases of each label, in float32: what they learn from, and what the page draws."""

import json
from pathlib import Path
from typing import Any

import pytest

from html_page import Page
from preceptor.errors import InputError
from preceptor.report import write_report
from preceptor.study import load_study
from preceptor.study.cases import Prepared, check_task, prepare, read_task
from preceptor.study.check_cases import too_few_of_a_label
from preceptor.study.predictions.answering import seedless, why_left_out
from preceptor.study.results.schema import Results
from study_runs import Run, run
from tiny_study import write_study

ARMS: list[Any] = [
    {"name": "tfidf-2", "answer": "tfidf", "per_label": 2},
    {"name": "tfidf-4", "answer": "tfidf", "per_label": 4, "against": ["tfidf-2"]},
    "tfidf",
    {"name": "sft-2", "stages": ["sft"], "per_label": 2, "against": ["tfidf-2"]},
]
SHORT = {"epochs": 1, "batch_size": 4, "learning_rate": 0.01}


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory, tiny_model_folder: Path) -> Run:
    folder = tmp_path_factory.mktemp("few")
    return run(
        folder, tiny_model_folder, folder / "run", arms=ARMS, seeds=[0, 1], sft=SHORT, primary=[["sft-2", "tfidf-2"]]
    )


def prepared(folder: Path, tokenizer: Any) -> Prepared:
    study, base = load_study(str(write_study(folder, Path("unused"), arms=ARMS)))
    return prepare(check_task(read_task(study.tasks[0], study, base), study, tokenizer), study, tokenizer)


def ids(one: Prepared, part: str) -> list[str]:
    return [case.id for case in getattr(one.splits, part)]


def test_an_arm_has_so_many_of_each_label_to_learn_and_to_choose_by(tmp_path: Path, tiny_tokenizer: Any) -> None:
    """P4-6: validation cases are few as well, so that nothing is chosen by cases that a clinic would not have."""
    whole = prepared(tmp_path, tiny_tokenizer)
    four, two = whole.few(4, 0), whole.few(2, 0)
    for part in ("train", "validation"):
        assert {*ids(two, part)} < {*ids(four, part)} <= {*ids(whole, part)}
        labels = [case.target for case in getattr(two.splits, part)]
        assert sorted(labels) == ["routine"] * 2 + ["urgent"] * 2
        assert len({case.group for case in getattr(four.splits, part)}) == len(getattr(four.splits, part))
    by_id = {case.id: encoded for case, encoded in zip(whole.splits.train, whole.train, strict=True)}
    assert two.train == [by_id[one] for one in ids(two, "train")]
    assert two.test_hash == whole.test_hash, "the held-out cases stay"
    assert ids(whole.few(2, 1), "train") != ids(two, "train"), "each seed draws its own"


def test_each_seed_of_an_arm_is_another_draw(few: Run) -> None:
    assert not seedless(few.study, "tfidf-2")
    assert seedless(few.study, "tfidf")
    assert few.results["failed"] == []
    costs = {cell["arm"]: cell["cost"]["tokens_seen"] for cell in few.results["cells"] if cell["seed"] == 0}
    assert costs["sft-2"] > 0
    answers = [
        [json.loads(line)["text"] for line in file.read_text().splitlines()]
        for file in sorted(few.folder.glob("cells/*/*/tfidf-2/seed-*/predictions.jsonl"))
    ]
    assert len(answers) == 2
    assert answers[0] != answers[1]


def test_the_page_draws_what_more_cases_are_worth(few: Run) -> None:
    results = Results.model_validate_json((few.folder / "results.json").read_text())
    assert results.arm("tfidf-4").title == "TF-IDF, 4 a label"
    assert results.arm("sft-2").title == "SFT, 2 a label"
    write_report(few.folder)
    text = (few.folder / "report.html").read_text()
    assert "training cases of each label" in Page(text).text
    assert "TF-IDF: " in text
    assert " with 2, " in text
    assert " with all" in text


def test_p4_10_a_label_with_fewer_cases_is_told(tmp_path: Path, tiny_tokenizer: Any) -> None:
    arms = [{"name": "many", "answer": "tfidf", "per_label": 30}]
    study, base = load_study(str(write_study(tmp_path, Path("unused"), arms=arms)))
    checked = check_task(read_task(study.tasks[0], study, base), study, tiny_tokenizer)
    (train, validation) = too_few_of_a_label(study, checked)
    assert "fewer than 30 train cases of these labels, one a patient: urgent 1" in train.what
    assert "fewer than 30 validation cases" in validation.what


@pytest.mark.parametrize("count", [0, -1, "many"])
def test_a_count_that_is_none_is_refused(tmp_path: Path, count: Any) -> None:
    arms = [{"name": "few", "answer": "tfidf", "per_label": count}]
    with pytest.raises(InputError, match="per_label"):
        load_study(str(write_study(tmp_path, Path("unused"), arms=arms)))


def test_a_task_without_labels_is_not_for_it(tmp_path: Path, tiny_tokenizer: Any) -> None:
    task = {"answer": {"kind": "text", "max_new_tokens": 6}, "metric": "rouge_l", "also": []}
    arms = [{"name": "few", "stages": ["sft"], "per_label": 2}]
    study, base = load_study(str(write_study(tmp_path, Path("unused"), arms=arms, task=task)))
    one = prepare(check_task(read_task(study.tasks[0], study, base), study, tiny_tokenizer), study, tiny_tokenizer)
    assert "per_label" in str(why_left_out(study, one, "few"))
