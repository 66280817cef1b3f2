"""What can be wrong with files of predictions: file, row, column and remedy are said, all at once, and no text."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from preceptor.comparison import PredictionsCompared, compare_predictions
from preceptor.errors import InputError
from prediction_files import Rows, label_rows, score_rows, write_rows

SECRET = "she whispered xyzzy to the nurse about her fall at home last night"
"""Longer than any name; no message may repeat it."""


class Files:
    """Two files that can be compared, to be spoiled by a test."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.a, self.b = label_rows(0.9, seed=1), label_rows(0.6, seed=2)
        for row in (*self.a, *self.b):
            row["note"] = SECRET
        self.options: dict[str, Any] = {"metric": "accuracy", "group": "patient"}

    def refused(self, *words: str) -> list[str]:
        """The problems, one a line; each of `words` stands in one of them."""
        write_rows(self.folder / "a.jsonl", self.a)
        write_rows(self.folder / "b.jsonl", self.b)
        with pytest.raises(InputError) as caught:
            compare_predictions(self.folder / "a.jsonl", self.folder / "b.jsonl", **self.options)
        assert caught.value.exit_code == 2
        assert "xyzzy" not in str(caught.value)
        said = [str(problem).replace(f"{self.folder}/", "") for problem in caught.value.problems]
        for word in words:
            assert any(word in one for one in said), said
        return said

    def scored(self) -> tuple[Rows, Rows]:
        """The same with scores."""
        return score_rows(0.7, seed=1), score_rows(0.6, seed=2)

    def compared(self) -> PredictionsCompared:
        """What they show."""
        write_rows(self.folder / "a.jsonl", self.a)
        write_rows(self.folder / "b.jsonl", self.b)
        return compare_predictions(self.folder / "a.jsonl", self.folder / "b.jsonl", **self.options)


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path)


def empty_id(rows: Rows) -> None:
    rows[2]["id"] = " "


def no_id(rows: Rows) -> None:
    for row in rows:
        row["case"] = row.pop("id")


def id_twice(rows: Rows) -> None:
    rows.append(dict(rows[4]))


def left_out(rows: Rows) -> None:
    del rows[6]


def other_gold(rows: Rows) -> None:
    rows[3]["gold"] = "elective"


def other_patient(rows: Rows) -> None:
    rows[3]["patient"] = "P59"


def no_gold_in_two(rows: Rows) -> None:
    rows[0]["gold"] = None
    del rows[1]["gold"]


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (empty_id, "b.jsonl, row 3: column `id` is empty. Give every case the id it has elsewhere"),
        (no_id, "b.jsonl: there is no column `id` (the name of a case). "),
        (id_twice, "b.jsonl, row 61: id `c4-0` stands already in row 5. Keep one answer a case"),
        (left_out, "a.jsonl, row 7: id `c6-0` is not in b.jsonl. Give both the same cases: add it to b.jsonl"),
        (other_gold, "b.jsonl, row 4: column `gold`: another right answer of id `c3-0` than in a.jsonl, row 4"),
        (other_patient, "b.jsonl, row 4: column `patient`: another patient of id `c3-0` than in a.jsonl, row 4"),
    ],
)
def test_a_row_that_does_not_fit_is_named(files: Files, spoil: Callable[[Rows], None], said: str) -> None:
    spoil(files.b)
    files.refused(said)


def test_all_at_once(files: Files) -> None:
    for spoil in (empty_id, id_twice, left_out, other_gold, other_patient):
        spoil(files.b)
    files.options = {"metric": "acuracy", "group": "patient", "margin": -0.1, "gold": "gold"}
    said = files.refused("metric: there is no metric 'acuracy'", "Did you mean `accuracy`?", "no positive number")
    assert len(said) == 8  # the empty id, too, is one that b lacks


def test_a_right_answer_that_neither_file_has(files: Files) -> None:
    no_gold_in_two(files.a)
    no_gold_in_two(files.b)
    said = files.refused("a.jsonl, row 1: the right answer of id `c0-0` is missing (", "a.jsonl: gold, b.jsonl: gold")
    assert len(said) == 2


def test_no_right_answers_at_all(files: Files) -> None:
    for row in (*files.a, *files.b):
        del row["gold"]
    files.refused("gold: nothing says which answers are right. Name a column of the files, a file with `id` and `gold`")
    files.options["gold"] = {row["id"]: "urgent" for row in files.a[1:]}
    assert len(files.refused("a.jsonl, row 1: the right answer of id `c0-0` is missing (gold (mapping): gold)")) == 1


def test_nothing_says_who_the_patients_are(files: Files) -> None:
    del files.options["group"]
    files.refused("group: nothing says which cases are one patient's", "without a patient column say `each row`")
    files.options["group"] = "patients"
    said = files.refused("a.jsonl: there is no column `patients` (`group`), and no such file. Did you mean `patient`? ")
    assert len(said) == 2
    files.options["group"] = 7
    files.refused("group: a column, a file or a mapping was expected, found int")


def test_a_file_of_right_answers_that_does_not_say_which_column(files: Files, tmp_path: Path) -> None:
    table = pd.DataFrame([{"case": row["id"], "right": row["gold"], "age": 70} for row in files.a])
    table.to_csv(tmp_path / "gold.csv", index=False)
    files.options["gold"] = tmp_path / "gold.csv"
    said = files.refused(
        "gold.csv: there is no column `id`", "gold.csv: none of its columns is called `gold`, `target`"
    )
    assert len(said) == 2


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        (None, "b.jsonl, row 2: column `score` is empty or NaN. Give every case a score"),
        (float("nan"), "b.jsonl, row 2: column `score` is empty or NaN. Give every case a score"),
        ("nan", "b.jsonl, row 2: column `score` holds no finite number. Write a number, such as 0.75"),
        (1e999, "b.jsonl, row 2: column `score`"),
        (SECRET, "b.jsonl, row 2: column `score` holds no finite number"),
        ([0.5], "b.jsonl, row 2: column `score` holds no finite number"),
    ],
)
def test_a_score_that_is_no_number(files: Files, cell: Any, said: str) -> None:
    files.a, files.b = score_rows(0.6, seed=1), score_rows(0.5, seed=2)
    files.b[1]["score"] = cell
    files.options["metric"] = "mean_score"
    assert len(files.refused(said)) == 1


def test_scores_of_labels_in_some_rows_only(files: Files) -> None:
    files.options["metric"] = "auroc"
    files.b[5]["scores"] = {"urgent": 0.5, "routine": "high"}
    assert len(files.refused("b.jsonl, row 1: column `scores` holds no number for each label", "55 more rows")) == 6


def test_of_many_rows_alike_some_are_shown_and_the_others_counted(files: Files) -> None:
    files.b = files.b[:20]
    said = files.refused("a.jsonl: 35 more rows like these")
    assert len(said) == 6


def test_labels_are_asked_for_and_there_are_scores(files: Files) -> None:
    files.a, files.b = score_rows(0.6, seed=1), score_rows(0.5, seed=2)
    files.refused(
        "a.jsonl: there is no column `answer` (accuracy compares labels", "Columns are `id`, `patient`, `score`"
    )


def test_a_metric_that_needs_more_than_predictions(files: Files) -> None:
    files.options["metric"] = "sensitivity"
    files.refused("metric: 'sensitivity' needs positive labels, which only a task file can name. Choose of accuracy, ")


def test_files_that_cannot_be_read_are_all_told(tmp_path: Path) -> None:
    (tmp_path / "empty.jsonl").write_text("")
    with pytest.raises(InputError) as caught:
        compare_predictions([tmp_path / "none.csv", 7], [tmp_path / "empty.jsonl", []], metric="mean_score", group="p")
    said = str(caught.value)
    for words in ("none.csv: no such file", "a, seed 2: a file or a DataFrame was expected", "the file is empty"):
        assert words in said
    with pytest.raises(InputError, match="b: the list holds no file"):
        compare_predictions(pd.DataFrame(score_rows(0.5)), [], metric="mean_score", group="patient")


def test_seeds_that_do_not_pair_up(files: Files, tmp_path: Path) -> None:
    a, b = (write_rows(tmp_path / f"{name}.jsonl", rows) for name, rows in (("a", files.a), ("b", files.b)))
    with pytest.raises(InputError, match="a has 2 and b has 1, and each seed needs both"):
        compare_predictions([a, a], b, metric="accuracy", group="patient")


def test_rows_of_a_dataframe_are_named_by_position(files: Files) -> None:
    files.b[3]["id"] = None
    frames = [pd.DataFrame(rows).astype({"id": "string"}) for rows in (files.a, files.b)]
    with pytest.raises(InputError, match="DataFrame b, position 3: column `id` is empty"):
        compare_predictions(*frames, metric="accuracy", group="patient")


def test_answers_in_another_spelling_are_no_worse_arm(files: Files) -> None:
    for row in files.a:
        row["answer"] = row["answer"].title()
    (said,) = files.refused("a.jsonl: column `answer`: no answer is one of the 3 right answers")
    assert "Urgent" not in said
    for row in files.a:
        row["answer"] = "INVALID"  # as a run writes of an arm that nobody can read
    found = compare_predictions(
        write_rows(files.folder / "a.jsonl", files.a), files.folder / "b.jsonl", **files.options
    )
    assert (found.a[0].value, found.verdict) == (0.0, "worse")


@pytest.mark.parametrize("margin", ["0.1", float("nan"), 0, True, 1.5, 1e9])
def test_a_margin_that_is_no_difference_of_the_metric(files: Files, margin: Any) -> None:
    files.options["margin"] = margin
    (said,) = files.refused("margin: ")
    assert "leave it out" in said


def test_a_margin_beyond_what_these_scores_can_differ_by(files: Files) -> None:
    files.a, files.b = ([row | {"score": 80 + 10 * row["score"]} for row in rows] for rows in (files.scored()))
    files.options = {"metric": "mean_score", "group": "patient", "margin": 15}
    files.refused("margin: ")
    files.options["margin"] = 5
    assert files.compared().margin == 5


@pytest.mark.parametrize("name", ["~nosuchuser0/a.jsonl", "a\0.jsonl", "x" * 300])
def test_what_cannot_be_a_file_is_told(files: Files, name: str) -> None:
    write_rows(files.folder / "b.jsonl", files.b)
    with pytest.raises(InputError) as caught:
        compare_predictions(name, files.folder / "b.jsonl", metric="accuracy", group=name, gold=name)
    assert len(caught.value.problems) >= 3


@pytest.mark.parametrize("side", ["a", "gold", "group"])
def test_a_frame_with_a_column_twice_is_refused(files: Files, side: str) -> None:
    frames = {name: pd.DataFrame(rows) for name, rows in (("a", files.a), ("b", files.b))}
    twice = pd.DataFrame([["c1", "urgent", "soon"]], columns=["id", "gold", "gold"])
    said = {"a": frames["a"], "b": frames["b"], "gold": "gold", "group": "patient", side: twice}
    with pytest.raises(InputError, match="column `gold` stands there twice"):
        compare_predictions(said["a"], said["b"], metric="accuracy", gold=said["gold"], group=said["group"])


@pytest.mark.parametrize("scores", [[1.5, -0.5, 0.0], [0.2, 0.2, 0.2], [3.0, 2.0, 1.0]])
def test_scores_that_are_no_probabilities(files: Files, scores: list[float]) -> None:
    for row in (*files.a, *files.b):
        row["scores"] = dict(zip(("urgent", "soon", "routine"), (0.7, 0.2, 0.1), strict=True))
    files.b[1]["scores"] = dict(zip(("urgent", "soon", "routine"), scores, strict=True))
    files.options["metric"] = "brier"
    files.refused("b.jsonl, row 2: column `scores` holds no probabilities, which the Brier score rates")
    files.options["metric"] = "auroc"
    assert files.compared().n == len(files.a)
