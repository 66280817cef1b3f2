"""Predictions of several labels a case, in float64: the figures are scikit-learn's, and a study's."""

import json
import random
import unicodedata
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import (
    accuracy_score,
    f1_score,
    jaccard_score,
    label_ranking_average_precision_score,
    roc_auc_score,
)

from command_line import CommandLine
from preceptor.comparison import compare_predictions
from preceptor.errors import InputError
from preceptor.evidence import find_metric, value_of
from preceptor.study.label_sets import set_sample
from preceptor.tasks import Task
from prediction_files import Rows, write_rows
from tiny_study import TASK

LABELS = ["COPD", "asthma", "gout"]
FORM = {"separator": ";", "empty": "none", "group": "patient"}


def written(has: np.ndarray) -> str:
    return "; ".join(label for label, there in zip(LABELS, has, strict=True) if there) or "none"


def set_rows(flipped: float, seed: int, *, patients: int = 40) -> Rows:
    """Each label of a case is answered wrongly so often; every tenth answer has a label too many or cannot be read."""
    rng, rows = random.Random(seed), []
    for n in range(patients):
        gold = np.array([n >> i & 1 for i in range(3)], bool)
        scores = [0.5 + (0.5 if one else -0.5) * rng.random() * (1 - 2 * (rng.random() < flipped)) for one in gold]
        answer = written(np.array(scores) > 0.5)
        answer = {7: f"{answer}; rash", 3: "INVALID"}.get(n % 20, answer)
        scored = dict(zip(LABELS, scores, strict=True))
        rows.append({"id": f"c{n}", "patient": f"P{n}", "gold": written(gold), "answer": answer, "scores": scored})
    return rows


def arrays(rows: Rows) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Gold, given and scores; what is unknown or was not read is one label more, which no case has."""
    names = [*LABELS, "unknown"]
    gold, given = [], []
    for row in rows:
        answer = row["answer"].replace("rash", "unknown").replace("INVALID", "unknown")
        gold.append([label in row["gold"].split("; ") for label in names])
        given.append([label in answer.split("; ") for label in names])
    return np.array(gold), np.array(given), np.array([list(row["scores"].values()) for row in rows])


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    return (
        write_rows(tmp_path / "new.jsonl", set_rows(0.1, seed=1)),
        write_rows(tmp_path / "old.jsonl", set_rows(0.4, seed=2)),
    )


@pytest.mark.parametrize(
    ("metric", "expected"),
    [
        ("jaccard", lambda gold, given, _: jaccard_score(gold, given, average="samples", zero_division=1)),
        ("sample_f1", lambda gold, given, _: f1_score(gold, given, average="samples", zero_division=1)),
        ("micro_f1", lambda gold, given, _: f1_score(gold, given, average="micro")),
        ("subset_accuracy", lambda gold, given, _: accuracy_score(gold, given)),
        ("auroc", lambda gold, _, scores: roc_auc_score(gold[:, :3], scores)),
        (
            "case_average_precision",
            lambda gold, _, scores: label_ranking_average_precision_score(
                gold[gold.any(1)][:, :3], scores[gold.any(1)]
            ),
        ),
    ],
)
def test_values_are_scikit_learns(files: tuple[Path, Path], metric: str, expected: Any) -> None:
    found = compare_predictions(*files, metric=metric, **FORM)
    values = [expected(*arrays(set_rows(share, seed))) for share, seed in ((0.1, 1), (0.4, 2))]
    assert [found.a[0].value, found.b[0].value] == pytest.approx(values, abs=1e-12)
    assert found.delta == pytest.approx(values[0] - values[1], abs=1e-12)
    assert found.ci[0] <= found.delta <= found.ci[1]
    assert found.verdict == "better"


def test_values_are_a_studys(files: tuple[Path, Path]) -> None:
    answer = {"kind": "labels", "labels": {one: one for one in LABELS}, "empty": "none", "max_new_tokens": 9}
    rows = set_rows(0.1, seed=1)
    for name in ("jaccard", "micro_f1", "subset_accuracy"):
        task = Task.model_validate(TASK | {"answer": answer, "metric": name, "also": []})
        texts = [[row[key] for row in rows] for key in ("gold", "answer")]
        sample = set_sample(task, np.arange(len(rows)), *texts)
        found = compare_predictions(*files, metric=name, **FORM)
        assert found.a[0].value == pytest.approx(value_of(find_metric(name), sample), abs=1e-12)
        assert found.a[0].invalid_rate == sample.invalid_rate == 2 / 40


def test_without_scores_the_sets_are_rated(files: tuple[Path, Path]) -> None:
    for file, (share, seed) in zip(files, ((0.1, 1), (0.4, 2)), strict=True):
        rows = set_rows(share, seed)
        write_rows(file, [{name: row[name] for name in row if name != "scores"} for row in rows])
    gold, given, _ = arrays(set_rows(0.1, seed=1))
    found = compare_predictions(*files, metric="auroc", **FORM)
    assert found.a[0].value == pytest.approx(roc_auc_score(gold[:, :3], given[:, :3].astype(float)), abs=1e-12)


def test_the_command(files: tuple[Path, Path], preceptor: CommandLine) -> None:
    words = ("--metric", "jaccard", "--group", "patient", "--separator", ";", "--empty", "none")
    done = preceptor.run("judge", *files, *words)
    assert done.code == 0, done.errors
    assert "New is better than old on these cases" in done.shown
    assert "5%" in done.shown, "of answers that cannot be read"


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({"metric": "jaccard"}, "metric: 'jaccard' rates sets of labels. Say what stands between two labels"),
        ({"metric": "jaccard", "empty": "none"}, "empty: it is the word for no label of several. Give `separator` too"),
        ({"metric": "jaccard", "separator": ""}, "separator: it is empty"),
        ({"metric": "accuracy", "separator": ";"}, "metric: 'accuracy' rates no sets of labels, and `separator` says"),
        ({"metric": "mean_score", "separator": ";"}, "metric: 'mean_score' rates no sets of labels"),
        ({"metric": "jaccard", "separator": "/"}, "separator: '/' stands in no right answer and in no answer, and ';'"),
        ({"metric": "jaccard", "separator": 3}, "separator: a text was expected, found int"),
        ({"metric": "jaccard", "separator": ";", "empty": ""}, "empty: it is empty"),
        ({"metric": "jaccard", "separator": ";", "empty": "INVALID"}, "empty: INVALID is an answer that could not be"),
        ({"metric": "jaccard", "separator": ";", "empty": "no; ne"}, "empty: it holds the separator"),
        ({"metric": "jaccard", "separator": ";", "empty": "None"}, "empty: it is 'None', and right answers have it in"),
        ({"metric": "jaccard", "separator": ";", "empty": "COPD"}, "gold: 15 of 40 right answers list no label, or"),
        ({"metric": "jaccard", "separator": ";", "answer": "patient"}, "column `patient`: no answer has one of the 4"),
        ({"metric": "brier", "separator": ";"}, None),
    ],
)
def test_what_cannot_be_is_refused(files: tuple[Path, Path], options: dict[str, Any], what: str | None) -> None:
    """With another separator each set would be one label of its own; of sets, probabilities need not add up to 1."""
    given = {"group": "patient", **options}
    if what is None:
        assert compare_predictions(*files, **given).patients == 40
        return
    with pytest.raises(InputError) as refused:
        compare_predictions(*files, **given)
    assert what in str(refused.value)


def test_a_file_with_another_separator_is_refused(files: tuple[Path, Path]) -> None:
    """Its single labels would be right, and its sets wrong in silence."""
    rows = [row | {"answer": row["answer"].replace("; ", " | ")} for row in set_rows(0.1, seed=1)]
    with pytest.raises(InputError, match=r"new\.jsonl: labels have '\|' between them and not ';'"):
        compare_predictions(write_rows(files[0], rows), files[1], metric="jaccard", **FORM)


def test_cases_of_one_label_each_are_compared(files: tuple[Path, Path]) -> None:
    """No separator stands in them, and no other sign either."""
    for file in files:
        rows = set_rows(0.1, seed=1)
        write_rows(file, [row | {"gold": row["gold"].split(";")[0], "answer": "gout"} for row in rows])
    assert compare_predictions(*files, metric="jaccard", **FORM).patients == 40


def test_lists_are_refused_and_not_called_missing(files: tuple[Path, Path]) -> None:
    for column in ("answer", "gold"):
        rows = [row | {column: row[column].split("; ")} for row in set_rows(0.1, seed=1)]
        with pytest.raises(InputError) as refused:
            compare_predictions(write_rows(files[0], rows), files[1], metric="jaccard", **FORM)
        assert f"column `{column}` holds a list or an object, a text was expected" in str(refused.value)
        assert "missing" not in str(refused.value)


def test_a_score_of_the_word_for_no_label_is_no_labels(files: tuple[Path, Path]) -> None:
    plain = compare_predictions(*files, metric="brier", **FORM)
    rows = [row | {"scores": row["scores"] | {"none": 0.9}} for row in set_rows(0.1, seed=1)]
    assert compare_predictions(write_rows(files[0], rows), files[1], metric="brier", **FORM).delta == plain.delta


@pytest.mark.parametrize(("metric", "form"), [("jaccard", FORM), ("auroc", FORM), ("accuracy", {"group": "patient"})])
def test_labels_whose_letters_and_marks_are_apart_are_the_same(tmp_path: Path, metric: str, form: Any) -> None:
    rows = [json.loads(json.dumps(row).replace("gout", "œdème")) for row in set_rows(0.2, seed=1)]
    apart = [json.loads(unicodedata.normalize("NFD", json.dumps(row, ensure_ascii=False))) for row in rows]
    files = [write_rows(tmp_path / f"{name}.jsonl", of) for name, of in (("a", rows), ("b", apart))]
    found = compare_predictions(*files, metric=metric, **form)
    assert found.a[0].value == found.b[0].value > 0.3


def test_a_label_with_a_score_in_either_form_has_two(tmp_path: Path) -> None:
    rows = set_rows(0.2, seed=1)
    twice = [row | {"scores": row["scores"] | {"œde\u0300me": 0.1, "œdème": 0.9}} for row in rows]
    files = [write_rows(tmp_path / f"{name}.jsonl", of) for name, of in (("a", rows), ("b", twice))]
    with pytest.raises(InputError, match="no number for each label"):
        compare_predictions(*files, metric="auroc", **FORM)


@pytest.mark.parametrize("written", [str, json.dumps])
def test_lists_written_as_text_are_refused(tmp_path: Path, written: Any) -> None:
    """Cut at commas, each label would have another bracket or quote."""
    rows = [row | {"answer": written(row["answer"].split("; "))} for row in set_rows(0.2, seed=1)]
    files = [write_rows(tmp_path / f"{name}.jsonl", of) for name, of in (("a", set_rows(0.1, seed=2)), ("b", rows))]
    with pytest.raises(InputError, match=r"b\.jsonl: labels stand there as a list, with brackets") as refused:
        compare_predictions(*files, metric="jaccard", **FORM)
    assert len(refused.value.problems) == 1
