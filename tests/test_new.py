import csv
import json
import unicodedata
from pathlib import Path
from typing import Any

import pytest
import yaml

from preceptor._new import NewFiles, NewStudy, write_new
from preceptor.data import DataSpec, inspect_table, read_examples, read_table
from preceptor.errors import InputError
from preceptor.tasks import load_task

HEADER = ["Patient ID", "Seen", "Chief complaint", "chief_complaint", "HR {bpm}", "Urgency: level"]
LEVELS = ["yes", "No", "no", "1", "a: b # c"]


def write_table(path: Path, rows: int = 40) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        out = csv.writer(file)
        out.writerow(HEADER)
        for n in range(rows):
            pulse = "" if n == 3 else 60 + n
            out.writerow([f"P{n // 2}", f"2024-03-{n % 28 + 1:02}", f"pain {n}", "none", pulse, LEVELS[n % 5]])
    return path


def new(tmp_path: Path, *, overwrite: bool = False, **said: Any) -> NewFiles:
    table = read_table(write_table(tmp_path / "my cases.csv"))
    told = {"text": HEADER[2:5], "target": HEADER[5], "group": HEADER[0], "date": HEADER[1], **said}
    return write_new(table, tmp_path / "out", "triage", NewStudy(**told), overwrite=overwrite)


def load(files: NewFiles) -> tuple[Any, dict[str, Any]]:
    return load_task(files.task), yaml.safe_load(files.study.read_text())


def test_what_is_written_loads_and_reads_the_table(tmp_path: Path) -> None:
    files = new(tmp_path)
    task, study = load(files)
    assert task.labels == ("yes", "No", "1", "a: b # c")
    assert list(task.fields) == ["chief_complaint", "chief_complaint_2", "hr_bpm"]
    assert study["arms"] == ["base", "sft", "encoder", "tfidf"]
    assert study["tasks"][0]["task"] == files.task.name
    spec = DataSpec.model_validate(study["tasks"][0]["data"])
    got = read_examples(spec, task, files.study.parent)
    assert len(got.examples) == 40
    assert {one.group for one in got.examples} == {f"P{n}" for n in range(20)}
    assert {one.target for one in got.examples} == set(task.labels)
    assert got.examples[3].fields["hr_bpm"] == "not given"
    prompt = task.messages(got.examples[1])[-1]["content"]
    assert prompt == "Chief complaint: pain 1\nchief_complaint: none\nHR bpm: 61"


def test_every_row_another_patient_must_be_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"my cases\.csv: nothing says which rows are one patient's"):
        new(tmp_path, group=None)
    _, study = load(new(tmp_path, group="each row"))
    assert study["tasks"][0]["data"]["group"] == "each row"


def test_nothing_is_overwritten_unless_told(tmp_path: Path) -> None:
    files = new(tmp_path)
    files.task.write_text("mine")
    with pytest.raises(InputError) as caught:
        new(tmp_path)
    assert [Path(problem.where) for problem in caught.value.problems] == [files.task, files.study]
    assert files.task.read_text() == "mine"
    assert load(new(tmp_path, overwrite=True))


def test_every_key_is_explained(tmp_path: Path) -> None:
    files = new(tmp_path)
    for path, keys in ((files.task, 9), (files.study, 9)):
        explained = [line for line in path.read_text().splitlines() if ": " in line and "  # " in line]
        assert len(explained) >= keys
    assert "date: Seen  # not shown to the model" in files.study.read_text()


def test_a_text_answer_makes_a_text_task(tmp_path: Path) -> None:
    path = tmp_path / "notes.csv"
    path.write_text(
        "note,summary\n" + "".join(f"the course of case {n} was long,in short it was {n}\n" for n in range(9))
    )
    table = read_table(path)
    guess = inspect_table(table)
    assert (guess.text, guess.label) == (["note"], "summary")
    task, study = load(write_new(table, tmp_path, "notes", NewStudy(guess.text, "summary", "each row")))
    assert task.answer.kind == "text"
    assert study["arms"] == ["base", "sft", "sft+dpo", "sft+sft"]
    assert task.prompt == "{note}"


@pytest.mark.parametrize(
    ("blank", "setting"),
    [("", {"labels": {"": "none"}}), ("none", {}), (None, {"bad_rows": "leave out"})],
    ids=["an empty cell", "a word", "both"],
)
def test_sets_of_labels_make_a_task_of_them(tmp_path: Path, blank: str | None, setting: dict[str, Any]) -> None:
    cells = ["asthma|COPD", "COPD", "asthma", "gout|asthma", "gout"] * 6
    cells += ["none", ""] if blank is None else [blank, blank]
    path = tmp_path / "notes.csv"
    path.write_text("note,problems\n" + "".join(f"what was found in case {n},{cell}\n" for n, cell in enumerate(cells)))
    files = write_new(read_table(path), tmp_path, "notes", NewStudy(["note"], "problems", "each row"))
    assert files.answers == "several of 3 labels, `|` between them"
    task, study = load(files)
    assert (task.set_labels, task.answer.separator, task.answer.empty) == (("asthma", "COPD", "gout"), " | ", "none")
    assert (task.metric, [one.metric for one in task.secondary_metrics]) == (
        "jaccard",
        ["sample_f1", "subset_accuracy"],
    )
    assert "`|` between them, or `none` where there is none" in task.instruction
    assert study["arms"] == ["base", "sft", "encoder", "tfidf", "nearest"]
    data = study["tasks"][0]["data"]
    assert {key: data[key] for key in ("labels", "bad_rows") if key in data} == setting
    got = read_examples(DataSpec.model_validate(data), task, files.study.parent).examples
    assert [one.target for one in got[:5]] == ["asthma | COPD", "COPD", "asthma", "asthma | gout", "gout"]
    assert [one.target for one in got[30:]] == (["none"] if blank is None else ["none"] * 2)


def test_every_problem_at_once(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        new(tmp_path, text=["nothing"], target="chief_complaint", group="nobody", date="never")
    said = str(caught.value)
    for words in ("`nothing`", "`nobody`", "`never`", "column `chief_complaint` has one value only"):
        assert words in said
    with pytest.raises(InputError, match="both what the model reads and the answer"):
        new(tmp_path, text=[HEADER[5]])
    with pytest.raises(InputError, match="no column is named for the model"):
        new(tmp_path, text=[])


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    table = read_table(write_table(tmp_path / "a.csv"))
    for folder, name, words in ((tmp_path / "a.csv" / "x", "b", "cannot write"), (tmp_path, "a/b", "a file name")):
        with pytest.raises(InputError, match=words):
            write_new(table, folder, name, NewStudy(HEADER[2:3], HEADER[5], HEADER[0]))


def test_lists_that_are_no_sets_are_not_called_empty(tmp_path: Path) -> None:
    table = tmp_path / "cases.jsonl"
    lines = [
        json.dumps({"note": f"Note {n}", "codes": [f"secret {n}", {"deep": n}] if n % 2 else "a"}) for n in range(40)
    ]
    table.write_text("\n".join(lines))
    with pytest.raises(InputError, match=r"column `codes` holds a list or an object in 20 of 40 rows") as refused:
        write_new(read_table(table), tmp_path, "codes", NewStudy(text=["note"], target="codes", group="each row"))
    assert "secret" not in str(refused.value)
    assert [path.name for path in tmp_path.iterdir()] == ["cases.jsonl"]


def test_labels_whose_letters_and_marks_are_apart_are_one(tmp_path: Path) -> None:
    levels = ["élevé", unicodedata.normalize("NFD", "élevé"), "modéré"]
    path = tmp_path / "notes.csv"
    path.write_text("note,level\n" + "".join(f"what was found in case {n},{levels[n % 3]}\n" for n in range(30)))
    files = write_new(read_table(path), tmp_path, "notes", NewStudy(["note"], "level", "each row"))
    task, study = load(files)
    assert task.labels == ("élevé", "modéré")
    data = study["tasks"][0]["data"]
    assert "labels" not in data
    got = read_examples(DataSpec.model_validate(data), task, files.study.parent).examples
    assert [one.target for one in got[:3]] == ["élevé", "élevé", "modéré"]


def written_lists(folder: Path, cells: list[str]) -> Path:
    rows = [[f"what was found in case {n}", cell] for n, cell in enumerate(cells)]
    with (folder / "lists.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([["note", "problems"], *rows])
    return folder / "lists.csv"


LISTS = [["asthma", "COPD"], ["COPD"], ["asthma"], ["gout", "asthma"], ["gout"]] * 6


def test_lists_as_python_writes_them_are_sets(tmp_path: Path) -> None:
    table = read_table(written_lists(tmp_path, list(map(str, LISTS))))
    files = write_new(table, tmp_path, "notes", NewStudy(["note"], "problems", "each row"))
    task, study = load(files)
    assert (files.answers, task.set_labels) == ("several of 3 labels, `;` between them", ("asthma", "COPD", "gout"))
    got = read_examples(DataSpec.model_validate(study["tasks"][0]["data"]), task, files.study.parent).examples
    assert [one.target for one in got[:4]] == ["asthma; COPD", "COPD", "asthma", "asthma; gout"]


def test_lists_that_cannot_be_read_are_no_free_text(tmp_path: Path) -> None:
    table = read_table(written_lists(tmp_path, [str(one).replace(",", "") for one in LISTS]))
    with pytest.raises(InputError, match=r"column `problems` holds lists, and no sets of labels. Write them as Python"):
        write_new(table, tmp_path, "notes", NewStudy(["note"], "problems", "each row"))
