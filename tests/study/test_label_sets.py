"""A study of which each case has several labels: from a table to predictions, contrasts and report (float32)."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import f1_score, jaccard_score, roc_auc_score

import labels_study
from html_page import Page
from preceptor.evidence import find_metric, value_of
from preceptor.report import write_report
from preceptor.study import open_arm
from preceptor.study.label_sets import (
    THRESHOLDS,
    choose_threshold,
    membership,
    set_metric,
    set_sample,
    sets_by,
    texts_of,
)
from preceptor.study.score import case_score
from preceptor.tasks import Example, Task
from study_runs import Run, run
from tiny_study import TASK

LABELS = list(labels_study.TASK["answer"]["labels"])
SEVERAL = Task.model_validate(TASK | labels_study.TASK)
WITHOUT_EMPTY = SEVERAL.model_copy(update={"answer": SEVERAL.answer.model_copy(update={"empty": None})})

ARMS: dict[str, Any] = {
    "task": labels_study.TASK,
    "arms": ["sft", "classify", "tfidf", "nearest"],
    "primary": [["classify", "tfidf"], ["sft", "nearest"]],
    "sft": {"epochs": 1, "batch_size": 16, "learning_rate": 0.01},
    "classify": {"epochs": 8, "batch_size": 8, "learning_rate": 0.01},
}


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory, tiny_model_folder: Path) -> Run:
    folder = tmp_path_factory.mktemp("several")
    labels_study.write_table(folder / "cases.csv")
    return run(folder, tiny_model_folder, folder / "run", **ARMS)


def cells(done: Run) -> dict[str, dict[str, Any]]:
    return {one["arm"]: one for one in done.results["cells"]}


def sets(done: Run, arm: str) -> tuple[np.ndarray, np.ndarray, list[dict[str, Any]]]:
    """Gold, predicted, and the rows of an arm's predictions; a case's id is its row in the table."""
    rows = [json.loads(line) for line in (done.folder / cells(done)[arm]["predictions"]["path"]).open()]
    table = (done.study_file.parent / "cases.csv").read_text().splitlines()[1:]
    gold = [(SEVERAL.label_set(table[int(row["id"]) - 2].rsplit(",", 1)[1].strip('"')) or ()) for row in rows]
    given = [SEVERAL.label_set(row["answer"]) or () for row in rows]
    return membership(SEVERAL, gold), membership(SEVERAL, given), rows


@pytest.mark.parametrize("arm", ["classify", "tfidf", "nearest"])
def test_every_value_is_scikit_learns_of_the_predictions_that_lie_there(done: Run, arm: str) -> None:
    gold, given, rows = sets(done, arm)
    cell = cells(done)[arm]
    scores = given.astype(float)
    if arm != "nearest":
        scores = np.array([[row["scores"][label] for label in LABELS] for row in rows])
    assert cell["value"] == pytest.approx(jaccard_score(gold, given, average="samples", zero_division=1), abs=1e-12)
    assert cell["also"]["micro_f1"] == pytest.approx(f1_score(gold, given, average="micro"), abs=1e-12)
    assert cell["also"]["auroc"] == pytest.approx(roc_auc_score(gold, scores, average="macro"), abs=1e-12)
    assert cell["value"] == pytest.approx(np.mean([row["score"] for row in rows]), abs=1e-12)
    assert cell["ci"][0] <= cell["value"] <= cell["ci"][1]


def test_arms_that_score_have_a_threshold_and_arms_that_name_labels_have_none(done: Run) -> None:
    """LEADER trap 9: one rule for every arm, chosen on validation, stored with the arm."""
    found = cells(done)
    for arm in ("classify", "tfidf"):
        threshold = found[arm]["threshold"]
        assert threshold in THRESHOLDS
        _, given, rows = sets(done, arm)
        scores = np.array([[row["scores"][label] for label in LABELS] for row in rows])
        assert (given == (scores >= threshold)).all()
        note = (done.folder / found[arm]["predictions"]["path"]).with_name("cell.json")
        assert json.loads(note.read_text())["threshold"] == threshold
    assert found["sft"]["threshold"] is found["nearest"]["threshold"] is None
    assert found["tfidf"]["value"] > 0.9


def test_a_head_learns_the_labels_by_binary_cross_entropy(done: Run) -> None:
    cell = cells(done)["classify"]
    curve = [loss for _, loss in cell["curves"]["classify"]["eval_loss"]]
    assert min(curve) < curve[0]
    assert cell["invalid_rate"] == 0
    assert cell["learning"]["classify"]["head"] == 3 * 48


def test_arms_are_compared_and_the_report_shows_it(done: Run) -> None:
    (contrast,) = [one for one in done.results["contrasts"] if (one["a"], one["b"]) == ("classify", "tfidf")]
    found = cells(done)
    assert contrast["delta"] == pytest.approx(found["classify"]["value"] - found["tfidf"]["value"])
    assert contrast["test"] == "arms swapped within patients"
    assert contrast["counts"] is None
    (task,) = done.results["study"]["tasks"]
    assert (task["labels"], task["set_labels"], task["power"]["kind"]) == ([], LABELS, "sd")
    page = Page(write_report(done.folder).read_text()).text
    for words in ("Jaccard index", "labels from a score of", "chosen on validation cases", "label heart failure"):
        assert words in page, words


def test_done_again_nothing_is_answered(done: Run) -> None:
    notes = {one: one.stat().st_mtime_ns for one in done.folder.glob("cells/**/cell.json")}
    assert done.again(**ARMS).results["cells"] == done.results["cells"]
    assert {one: one.stat().st_mtime_ns for one in done.folder.glob("cells/**/cell.json")} == notes


def case(target: str) -> Example:
    return Example("1", "p", {"note": "x"}, target)


def test_one_case_is_scored_by_the_metric_or_by_being_right() -> None:
    """LEADER traps 11 and 12: unknown labels are misses; both empty = 1, one empty = 0."""
    assert case_score(SEVERAL, "fever; asthma", case("asthma")) == 1 / 2
    assert case_score(SEVERAL, "asthma; gout", case("asthma")) == 1 / 2
    assert case_score(SEVERAL, "None", case("none")) == 1
    assert case_score(SEVERAL, "none", case("fever")) == case_score(SEVERAL, "fever", case("none")) == 0
    assert case_score(SEVERAL, "I cannot tell", case("none")) == 0
    micro = SEVERAL.model_copy(update={"metric": "micro_f1"})
    assert case_score(micro, "fever; asthma", case("asthma; fever")) == 1
    assert case_score(micro, "fever", case("asthma; fever")) == 0


def test_unknown_and_unread_answers_are_counted() -> None:
    """LEADER trap 11: labels outside the list are misses, counted; what cannot be read is right nowhere."""
    targets, texts = ["asthma", "fever", "none"], ["asthma; gout; rash", "no idea", "fever"]
    found = set_sample(SEVERAL, np.arange(3), targets, texts, ["fever"])
    assert (found.unknown.tolist(), found.predicted.tolist(), found.positives) == ([2, 0, 0], [0, -1, 0], (2,))
    assert found.invalid_rate == 1 / 3
    for name in ("jaccard", "sample_f1", "subset_accuracy"):
        metric = find_metric(name)
        task = SEVERAL.model_copy(update={"metric": name})
        by_case = [case_score(task, text, case(target)) for text, target in zip(texts, targets, strict=True)]
        assert value_of(metric, found) == pytest.approx(np.mean(by_case)), "a value is the mean of its cases' scores"


def test_the_threshold_is_the_best_of_the_tasks_metric_and_of_equal_ones_the_nearest_to_a_half() -> None:
    gold = np.array([[1, 0, 0], [0, 1, 0], [1, 1, 0]], bool)
    scores = np.where(gold, 0.3, 0.1)
    assert choose_threshold(SEVERAL, gold, scores) == 0.3
    assert choose_threshold(SEVERAL, gold, np.where(gold, 0.9, 0.1)) == 0.5
    assert choose_threshold(SEVERAL, gold[:0], scores[:0]) == 0.5


def test_a_metric_of_scores_leaves_the_threshold_to_the_first_of_sets_beside_it() -> None:
    ranked = SEVERAL.model_copy(update={"metric": "auroc", "secondary_metrics": SEVERAL.secondary_metrics[1:2]})
    assert set_metric(ranked) is find_metric("micro_f1")
    alone = ranked.model_copy(update={"secondary_metrics": ()})
    gold = np.array([[1, 0, 0]], bool)
    assert (set_metric(alone), choose_threshold(alone, gold, gold * 0.2)) == (None, 0.5)


def test_where_no_set_may_be_empty_the_highest_label_is_given() -> None:
    scores = np.array([[0.1, 0.3, 0.2], [0.9, 0.6, 0.1]])
    assert texts_of(SEVERAL, sets_by(SEVERAL, scores, 0.5)) == ["none", "asthma; heart failure"]
    assert texts_of(WITHOUT_EMPTY, sets_by(WITHOUT_EMPTY, scores, 0.5)) == ["heart failure", "asthma; heart failure"]


def test_a_head_of_several_labels_and_what_writes_may_leave(done: Run) -> None:
    head, writer = (open_arm(done.folder, "urgency", name, heads=True) for name in ("classify", "sft"))
    assert head.task.set_labels == writer.task.set_labels == tuple(LABELS)
    assert (head.threshold, writer.threshold) == (cells(done)["classify"]["threshold"], None)
    texts = [head.head_text(one.scores or {}, head.threshold) for one in head.predictions]
    assert texts == [one.text for one in head.predictions]


def test_a_case_of_a_metric_that_rates_scores_is_scored_by_the_first_that_rates_sets() -> None:
    """Else the cases of a report were all alike that are not right to the label."""
    ranked = Task.model_validate(TASK | labels_study.TASK | {"metric": "case_average_precision", "also": ["jaccard"]})
    assert case_score(ranked, "fever; asthma", case("asthma")) == 1 / 2
