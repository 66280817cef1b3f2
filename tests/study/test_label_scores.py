"""A study of which the metric rates how likely each label is: from predictions to report."""

import json
from pathlib import Path
from typing import Any

import pytest
from sklearn.metrics import roc_auc_score

from html_page import Page
from preceptor.errors import InputError
from preceptor.report import write_report
from preceptor.study import load_study
from preceptor.study.cases import read_task
from study_runs import run
from tiny_study import write_study, write_table


def rows(folder: Path, arm: str) -> list[dict[str, Any]]:
    (file,) = folder.glob(f"cells/*/*/{arm}/seed-*/predictions.jsonl")
    return [json.loads(line) for line in file.read_text().splitlines()]


def test_auroc_of_tfidf_and_of_the_labels_that_the_base_model_scores(tmp_path: Path, tiny_model_folder: Path) -> None:
    task = {"metric": "auroc", "also": ["accuracy", "brier", {"metric": "average_precision", "labels": ["urgent"]}]}
    write_table(tmp_path / "cases.csv", patients=180, wrong_every=4)
    done = run(
        tmp_path, tiny_model_folder, tmp_path / "run", task=task, arms=["base", "tfidf"], primary=[["tfidf", "base"]]
    )
    cells = {cell["arm"]: cell for cell in done.results["cells"]}
    labels = cells["tfidf"]["confusion"]["labels"]
    gold = [
        row["answer"] if row["score"] else labels[1 - labels.index(row["answer"])] for row in rows(done.folder, "tfidf")
    ]
    scores = [row["scores"]["urgent"] for row in rows(done.folder, "tfidf")]
    expected = roc_auc_score([one == "urgent" for one in gold], scores)
    assert cells["tfidf"]["value"] == pytest.approx(expected, abs=1e-12)
    scored = [row["scores"]["urgent"] for row in rows(done.folder, "base")]
    ranked = roc_auc_score([one == "urgent" for one in gold], scored)
    assert cells["base"]["value"] == pytest.approx(ranked, abs=1e-12)
    assert cells["base"]["invalid_rate"] == 0
    scoring = cells["base"]["label_scoring"]
    assert scoring["probabilities_tau"] == scoring["tau"] == 0, "what is taken away changes no rank of two labels"
    assert scoring["without_marker"] is None
    assert scoring["form"]["cases"] > 0
    assert cells["tfidf"]["label_scoring"] is None
    assert cells["tfidf"]["ci"][0] < expected < cells["tfidf"]["ci"][1]
    assert 0 <= cells["tfidf"]["also"]["brier"] < cells["base"]["also"]["brier"] <= 1
    (contrast,) = [one for one in done.results["contrasts"] if one["b"] == "base"]
    assert contrast["metric"] == "auroc"
    assert contrast["delta"] == pytest.approx(cells["tfidf"]["value"] - cells["base"]["value"])
    assert contrast["ci"][0] < contrast["delta"] < contrast["ci"][1]
    assert "AUROC" in contrast["sentence"]

    page = Page(write_report(done.folder).read_text()).text
    for words in ("AUROC", f"{expected:.2f}", "How often a case with a label is given a higher score", "Brier score"):
        assert words in page, words
    for words in (
        "tau 0, probabilities at tau 0",
        "form: 0% of free text readable",
        "Labels were scored by language models",
    ):
        assert words in page, words
    assert "the likeliest token at each step" not in page, "no arm wrote"


def test_where_less_is_better_the_arm_with_less_is_the_better_one(tmp_path: Path, tiny_model_folder: Path) -> None:
    write_table(tmp_path / "cases.csv", patients=180)
    done = run(
        tmp_path, tiny_model_folder, tmp_path / "run", task={"metric": "brier", "also": []}, arms=["base", "tfidf"],
        primary=[["tfidf", "base"]],
    )  # fmt: skip
    (contrast,) = [one for one in done.results["contrasts"] if one["b"] == "base"]
    assert contrast["delta"] < 0
    assert contrast["verdict"] == "better"
    assert "TF-IDF is better than the base model" in contrast["sentence"]
    assert "Brier score (less is better)" in contrast["sentence"]
    assert write_report(done.folder).is_file(), "the report finds no contradiction in it"


def test_held_out_cases_of_one_label_are_refused_before_training(tmp_path: Path) -> None:
    table = write_table(tmp_path / "cases.csv")
    table.write_text(table.read_text().replace(",urgent,", ",routine,"))
    study, base = load_study(str(write_study(tmp_path, Path("unused"), task={"metric": "auroc", "also": []})))
    with pytest.raises(InputError, match="AUROC is undefined on the held-out cases, which are all of one label"):
        read_task(study.tasks[0], study, base)
