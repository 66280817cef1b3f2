"""Numbers are float64."""

from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from html_page import Page
from preceptor.comparison import PredictionsCompared, compare_predictions
from preceptor.evidence import Sample, compare, find_metric, judge, sentence
from prediction_files import label_rows, score_rows, write_rows


@pytest.fixture
def found(tmp_path: Path) -> PredictionsCompared:
    a = write_rows(tmp_path / "sft<b>.jsonl", score_rows(0.7, seed=1))
    b = write_rows(tmp_path / "base.jsonl", score_rows(0.5, seed=2))
    return compare_predictions(a, b, metric="mean_score", group="patient", margin=0.1)


def test_the_words_are_those_of_a_study(found: PredictionsCompared) -> None:
    a, b = (np.array([row["score"] for row in score_rows(mean, seed=seed)]) for mean, seed in ((0.7, 1), (0.5, 2)))
    patients, metric = np.arange(60), find_metric("mean_score")
    comparison = compare(metric, [Sample(patients, scores=a)], [Sample(patients, scores=b)])
    judgement = judge(comparison, comparison.p, 0.1)
    said = {"task": "these cases", "metric": "mean_score", "a": "sft<b>", "b": "base"}
    assert found.sentence == sentence(comparison, judgement, **said, p_adjusted=comparison.p)
    assert found.sentence.startswith("Sft<b> is better than base on these cases: +0.2")
    assert found.delta == pytest.approx(comparison.delta)
    assert asdict(found).items() >= asdict(judgement).items()


def test_it_prints_as_a_table_and_the_sentence(found: PredictionsCompared) -> None:
    head, ours, theirs, nothing, said, how = str(found).split("\n")
    assert head.split() == ["mean", "score", "95%", "interval", "invalid"]
    assert ours.startswith("sft<b>  ")
    assert theirs.startswith("base    ")
    assert len(head) == len(ours) == len(theirs)
    assert (nothing, said) == ("", found.sentence)
    assert how == f"95% interval: {found.interval}. Test: {found.test}, two-sided."


def test_a_notebook_shows_the_same_and_no_markup_of_a_name(found: PredictionsCompared) -> None:
    page = Page(found._repr_html_())
    assert len(page.all("tr")) == 3
    assert page.text.startswith("mean score 95% interval invalid sft<b> 0.")
    assert found.sentence in page.text


def test_files_of_one_name_are_called_by_the_folders_that_differ(tmp_path: Path) -> None:
    files = []
    for arm, right in (("sft", 0.9), ("base", 0.5)):
        (tmp_path / arm).mkdir()
        files.append(write_rows(tmp_path / arm / "predictions.jsonl", label_rows(right)))
    assert compare_predictions(*files, metric="accuracy", group="each row").names == ("sft", "base")
    assert compare_predictions(files[0], files[0], metric="accuracy", group="each row").names == ("a", "b")
    long = write_rows(tmp_path / f"2026-11-30T08-34-09_{'x' * 22}.jsonl", label_rows(0.9))
    assert compare_predictions(long, files[0], metric="accuracy", group="each row").names == ("a", "b")
