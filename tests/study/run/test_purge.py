"""`preceptor purge`: what holds patients goes, what stays names none of them, and nothing outside is touched."""

import csv
import html
import json
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from filelock import FileLock

from command_line import CommandLine
from preceptor.files import digest_file
from preceptor.report import write_cards
from preceptor.study import open_purge
from preceptor.study.run.folder import open_run_folder
from run_folders import synthetic_run
from study_runs import run
from tiny_study import write_table


def with_ids(table: Path) -> None:
    """Give every case an id that nothing else looks like."""
    with table.open(newline="") as file:
        header, *rows = csv.reader(file)
    with table.open("w", newline="") as file:
        csv.writer(file).writerows([[*header, "case"], *([*row, f"MRN-{n:04}"] for n, row in enumerate(rows))])


@pytest.fixture(scope="module")
def _finished(tmp_path_factory: pytest.TempPathFactory, tiny_model_folder: Path) -> Path:
    folder = tmp_path_factory.mktemp("purge")
    with_ids(write_table(folder / "cases.csv"))
    data = {"path": "cases.csv", "target": "urgency", "group": "patient", "id": "case"}
    entry = {"task": "urgency.task.yaml", "data": data, "gold": None}
    return run(folder, tiny_model_folder, folder / "run", arms=["base", "sft"], sft={"epochs": 1}, tasks=[entry]).folder


PHRASE = "violet umbrella"
"""Stands in every note, in answers, and wherever else a cell of the table can get to."""
_NAMES = re.compile(rb"MRN-|NHS-|violet|umbrella", re.I)

LETTER: dict[str, Any] = {
    "name": "letter",
    "title": "The letter",
    "question": "What does the letter say?",
    "source": "made for a test",
    "fields": {"note": "What the nurse wrote"},
    "instruction": "Write the letter.",
    "prompt": "{note}",
    "cut": "note",
    "answer": {"kind": "text", "parser": "text", "max_new_tokens": 8},
    "metric": "rouge_l",
}


def table_of_names(path: Path) -> None:
    """Cases of which every cell names a patient, and whatever the check can find: see `WHAT_IS_FOUND`."""
    rows = []
    for n in range(90):
        label = ("urgent", "routine", "routine")[n % 3]
        other = {"urgent": "routine", "routine": "urgent"}[label]
        note = f"Holds a {PHRASE}. {20 + n} years, {('chest pain', 'ear wax', 'rash')[n % 3]}, heart rate {60 + n}."
        day = f"2024-03-{n % 28 + 1:02}"
        split = "train" if n < 45 else "validation" if n < 55 else "test"
        letter = f"The {PHRASE} of NHS-{n:04} {n}"
        rows.append(
            [f"MRN-{n:04}", f"NHS-{n:04}", note, label, other, letter, f"not {letter}", day, "FM"[n % 2], split]
        )
    rows[3][2] = rows[0][2]  # repeats
    rows[4][2] = rows[0][2]  # and contradicts
    rows[1][2] += f" {PHRASE}" * 200  # cut
    rows[60][2] = rows[5][2]  # a held-out case that training shows
    rows[50][2] = rows[6][2]
    rows[7][3] = "MRN-0007"  # no label
    rows[8][3] = f"a {PHRASE}"
    rows[9][4] = "NHS-0009"
    rows[10][7] = f"{PHRASE} 2024"  # no date
    rows[11][9] = "MRN-0011"  # no split
    rows[12][2] = " "
    rows[13][1] = ""
    for row in rows[70:73]:
        row[8] = f"{row[0]} {PHRASE}"  # a group of one patient
    with path.open("w", newline="") as file:
        header = ["case", "patient", "note", "urgency", "other", "letter", "wrong", "day", "group", "split"]
        csv.writer(file).writerows([header, *rows])


WHAT_IS_FOUND = {
    "near_duplicate", "cut", "repeat", "contradiction", "unknown_label", "no_date", "unknown_split", "empty_field",
    "no_group",
}  # fmt: skip


@pytest.fixture(scope="module")
def named_everywhere(tmp_path_factory: pytest.TempPathFactory, tiny_model_folder: Path) -> Path:
    folder = tmp_path_factory.mktemp("names")
    table_of_names(folder / "cases.csv")
    (folder / "letter.task.yaml").write_text(yaml.safe_dump(LETTER))
    data = {
        "path": "cases.csv", "group": "patient", "id": "case", "date": "day", "subgroups": ["group"],
        "split": "split", "bad_rows": "leave out",
    }  # fmt: skip
    entries = [
        {"task": "urgency.task.yaml", "data": data | {"target": "urgency", "rejected": "other"}},
        {"task": "letter.task.yaml", "data": data | {"target": "letter", "rejected": "wrong"}},
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_DATA_HOME", str(folder / "data-home"))
        run(
            folder,
            tiny_model_folder,
            folder / "run",
            arms=["base", "base+shots", "sft", "sft+dpo", "sft+sft", "tfidf"],
            sft={"epochs": 1},
            max_length=160,
            tasks=entries,
        )
    return folder


def names_in(*folders: Path) -> list[str]:
    """Where a name or a phrase of a case is left: in names of files, bytes, and what JSON, YAML and HTML stand for."""
    files = [path for folder in folders for path in folder.rglob("*")]
    found = [str(path) for path in files if _NAMES.search(str(path.relative_to(path.parents[1])).encode())]
    for path in [path for path in files if path.is_file()]:
        data = path.read_bytes()
        meant = "\n".join(_meant(path.suffix, data.decode("utf-8", errors="replace")))
        found += [f"{path}: {hit.group()!r}" for hit in _NAMES.finditer(data + b"\n" + meant.encode())]
    return found


def _meant(kind: str, text: str) -> list[str]:
    if kind in (".json", ".jsonl"):
        lines = [text] if kind == ".json" else text.splitlines()
        return [json.dumps(json.loads(line), ensure_ascii=False) for line in lines if line]
    if kind == ".yaml":
        return [json.dumps(yaml.safe_load(text), ensure_ascii=False, default=str)]
    return [html.unescape(text)]


def test_of_a_run_that_named_patients_everywhere_nothing_names_one_afterwards(
    named_everywhere: Path, tmp_path: Path, preceptor: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder: Path = shutil.copytree(named_everywhere / "run", tmp_path / "run")
    home: Path = shutil.copytree(named_everywhere / "data-home", tmp_path / "data-home")
    monkeypatch.setenv("XDG_DATA_HOME", str(home))
    for task in json.loads((folder / "preflight.json").read_text()).values():
        assert {one["code"] for one in task["findings"]} >= (
            WHAT_IS_FOUND if task["task"] == "urgency" else {"near_duplicate", "cut", "empty_field"}
        )
        for one in task["findings"]:
            assert not _NAMES.search(json.dumps([one["where"], one["what"], one["fix"]]).encode()), one
    assert _NAMES.search((folder / "preflight.json").read_bytes())
    assert preceptor.run("report", folder).code == 0
    page = (folder / "report.html").read_bytes()
    assert _NAMES.findall(page + html.unescape(page.decode()).encode()) == []
    assert b"nearly repeat" in page
    assert write_cards(folder)
    assert [one for one in names_in(folder) if "results.json" in one or "README.md" in one or "design" in one] == []
    assert preceptor.run("purge", folder, "--yes").code == 0
    assert names_in(folder, home) == []
    assert b"2024-03-" not in (folder / "results.json").read_bytes()  # the first day is the first patient's
    assert b'"2024"' in (folder / "results.json").read_bytes()
    (folder / "report.html").unlink()
    assert preceptor.run("report", folder).code == 0
    assert b"nearly repeat" in (folder / "report.html").read_bytes()
    assert names_in(folder) == []


def test_a_run_of_an_earlier_version_names_no_patient_either(
    named_everywhere: Path, tmp_path: Path, preceptor: CommandLine
) -> None:
    folder: Path = shutil.copytree(named_everywhere / "run", tmp_path / "run")
    preflight, results = (json.loads((folder / f"{name}.json").read_text()) for name in ("preflight", "results"))
    sentence = "field note is cut in its middle in 1 of 40 cases, 99 tokens at most (cases MRN-0001)"
    old = {"level": "warning", "where": "train case MRN-0001", "what": sentence, "fix": "-", "ids": ["MRN-0001"]}
    preflight["urgency"]["findings"] = [old]
    (folder / "preflight.json").write_text(json.dumps(preflight))
    groups = results["study"]["tasks"][0]["subgroups"]
    rare = groups.pop()
    assert (rare["value"], rare["cases"]) == ("values of fewer than 5 patients each", 3)
    groups += [rare | {"value": f"MRN-000{n}", "cases": 1, "patients": 1} for n in range(3)]
    results["made_from"]["preflight.json"] = digest_file(folder / "preflight.json")
    (folder / "results.json").write_text(json.dumps(results))
    assert preceptor.run("report", folder).code == 0
    assert "MRN-" not in (folder / "report.html").read_text()
    assert preceptor.run("purge", folder, "--yes").code == 0
    assert names_in(folder) == []


@pytest.fixture
def finished(_finished: Path, tmp_path: Path) -> Path:
    """A finished run with leftovers of every kind."""
    folder: Path = shutil.copytree(_finished, tmp_path / "run")
    for name in (
        "report.html",
        "labels/pairs.sqlite",
        "labels/pairs.sqlite-wal",
        "trackers/tensorboard/urgency/events.out",
        "references/0123.json",
        "stages/0123/pairs.jsonl",
        "stages/0123/checkpoints/checkpoint-3/model.safetensors",
        "notes of mine.txt",
    ):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("MRN-0001 heart rate 61")
    cards = [one.parent / "README.md" for one in folder.glob("stages/*/adapter/adapter_config.json")]
    for card in cards:
        card.write_text("a model card")
    return folder


def contents(folder: Path) -> dict[str, str]:
    return {
        file.relative_to(folder).as_posix(): file.read_text(errors="replace")
        for file in folder.rglob("*")
        if file.is_file()
    }


def test_what_stays_names_no_patient_and_the_report_is_still_built(finished: Path, preceptor: CommandLine) -> None:
    assert any("MRN-" in text for name, text in contents(finished).items() if name == "preflight.json")
    before = json.loads((finished / "results.json").read_text())
    purged = preceptor.run("purge", finished, "--yes")
    assert purged.code == 0, purged
    left = contents(finished)
    assert {name for name in left if not name.startswith("stages/")} == {
        ".lock",
        "design.json",
        "preflight.json",
        "purged.json",
        "report.html",
        "results.json",
        "study.yaml",
        "tasks/urgency.yaml",
    }
    assert {name.split("/", 2)[2] for name in left if name.startswith("stages/")} == {"adapter/README.md"}
    assert [name for name, text in left.items() if "MRN-" in text or "heart rate" in text] == []
    after = json.loads((finished / "results.json").read_text())
    assert {name for name in after if after[name] != before[name]} == {"made_from"}
    (finished / "report.html").unlink()
    assert preceptor.run("report", finished).code == 0
    assert "What was found" in (finished / "report.html").read_text()


def test_the_list_has_every_file_with_its_size_and_says_what_is_elsewhere(
    finished: Path, preceptor: CommandLine
) -> None:
    sizes = {file: file.lstat().st_size for file in finished.rglob("*") if file.is_file()}
    with open_purge(finished) as found:
        goes = {name for one in found.holdings for name in one.files}
        assert len(goes) == sum(len(one.files) for one in found.holdings)
        assert goes | set(found.stays) >= {file.relative_to(finished).as_posix() for file in sizes}
        assert not goes & set(found.stays)
        assert sum(one.size for one in found.holdings) == sum((finished / name).stat().st_size for name in goes)
    shown = preceptor.run("purge", finished, "--yes").shown
    for told in ("what the arms answered", "other file: notes of mine.txt", "the data: cases.csv", "backups"):
        assert told in shown


def test_nothing_is_deleted_without_a_yes(finished: Path, preceptor: CommandLine) -> None:
    before = contents(finished)
    asked = preceptor.run("purge", finished)
    assert (asked.code, "add --yes" in asked.errors) == (2, True)
    assert {name: text for name, text in contents(finished).items() if not name.endswith(".lock")} == {
        name: text for name, text in before.items() if not name.endswith(".lock")
    }


def test_a_purged_run_refuses_all_that_needs_what_is_gone(finished: Path, preceptor: CommandLine) -> None:
    assert preceptor.run("purge", finished, "--yes").code == 0
    again = preceptor.run("purge", finished)
    assert (again.code, "nothing left to delete" in again.shown) == (0, True)
    study = finished.parent / "study.yaml"
    shutil.copy(finished / "study.yaml", study)
    for words in (
        ["report", finished, "--with-text"],
        ["convert", finished, finished.parent / "pairs.jsonl", "--task", "urgency", "--arm", "sft+dpo"],
    ):
        refused = preceptor.run(*words)
        assert (refused.code, "this run was purged" in refused.errors) == (2, True), refused
    with pytest.raises(Exception, match="this run was purged"), open_run_folder(finished):
        pass


@pytest.mark.parametrize("after", [0, 1, 6])
@pytest.mark.parametrize("everything", [False, True])
def test_an_interrupted_purge_goes_on(
    finished: Path, preceptor: CommandLine, monkeypatch: pytest.MonkeyPatch, after: int, everything: bool
) -> None:
    unlink, left = Path.unlink, [after]

    def cut(path: Path, missing_ok: bool = False) -> None:
        if left[0] == 0:
            raise KeyboardInterrupt
        left[0] -= 1
        unlink(path, missing_ok)

    words = ["purge", finished, "--yes", *(["--all"] if everything else [])]
    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", cut)
        assert preceptor.run(*words).code == 130
    report = preceptor.run("report", finished)
    assert (report.code, "was interrupted" in report.errors) == (2, True)
    gone_on = preceptor.run(*words)
    assert (gone_on.code, "it goes on" in gone_on.shown) == (0, True)
    assert finished.exists() is not everything
    if not everything:
        assert preceptor.run("report", finished).code == 0
        told = json.loads((finished / "purged.json").read_text())
        assert told["ended"] is not None
        assert {one["what"] for one in told["deleted"]} >= {"what the arms answered", "the report"}


@pytest.mark.parametrize("left", [["purged.json", ".lock"], ["study.yaml", "purged.json", ".lock"], [".lock"]])
def test_what_the_last_moments_of_a_whole_purge_leave_is_still_known(
    finished: Path, preceptor: CommandLine, left: list[str]
) -> None:
    assert preceptor.run("purge", finished, "--yes").code == 0
    for path in [one for one in finished.iterdir() if one.name not in left]:
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    assert preceptor.run("purge", finished, "--yes", "--all").code == 0
    assert not finished.exists()


def test_links_go_and_what_they_point_to_stays(finished: Path, preceptor: CommandLine, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "chart.txt").write_text("mine")
    (finished / "cells" / "link").symlink_to(outside)
    (finished / "stages" / "one.txt").symlink_to(outside / "chart.txt")
    (finished / "references" / "gone").symlink_to(outside / "nowhere")
    purged = preceptor.run("purge", finished, "--yes")
    assert purged.code == 0, purged
    assert f"What it points to is not deleted: {outside}" in purged.shown
    assert contents(outside) == {"chart.txt": "mine"}
    assert not any(path.is_symlink() for path in finished.rglob("*"))


def test_labels_that_lie_elsewhere_are_not_touched(finished: Path, preceptor: CommandLine, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "pairs.sqlite").write_text("another round")
    shutil.rmtree(finished / "labels")
    (finished / "labels").symlink_to(outside)
    assert preceptor.run("purge", finished, "--yes").code == 0
    assert contents(outside) == {"pairs.sqlite": "another round"}
    assert not (finished / "labels").is_symlink()


def test_a_run_named_by_a_link_is_purged_where_it_lies(finished: Path, preceptor: CommandLine, tmp_path: Path) -> None:
    named = tmp_path / "named"
    named.symlink_to(finished)
    assert preceptor.run("purge", named, "--yes", "--all").code == 0
    assert not named.is_symlink()
    assert not finished.exists()


def no_lock(folder: Path) -> None:
    (folder / ".lock").unlink()


def own_study(folder: Path) -> None:
    shutil.rmtree(folder)
    folder.mkdir()
    for name in ("study.yaml", ".lock", "cases.csv"):
        (folder / name).write_text("mine")


def nothing(folder: Path) -> None:
    shutil.rmtree(folder)


@pytest.mark.parametrize("other", [no_lock, own_study, nothing])
def test_a_folder_that_is_no_run_is_refused(
    finished: Path, preceptor: CommandLine, other: Callable[[Path], None]
) -> None:
    other(finished)
    before = contents(finished) if finished.exists() else {}
    for words in (["purge", finished, "--yes"], ["purge", finished, "--yes", "--all"]):
        refused = preceptor.run(*words)
        assert (refused.code, "Name a run folder" in refused.errors) == (2, True)
    assert (contents(finished) if finished.exists() else {}) == before


def test_a_run_that_is_worked_in_is_refused(finished: Path, preceptor: CommandLine) -> None:
    with open_run_folder(finished):
        refused = preceptor.run("purge", finished, "--yes")
        assert (refused.code, "another process is working" in refused.errors) == (2, True)
    with FileLock(finished / "labels" / "pairs.sqlite.lock"):
        refused = preceptor.run("purge", finished, "--yes")
        assert (refused.code, "raters are at work" in refused.errors) == (2, True)
    assert (finished / "labels" / "pairs.sqlite").exists()


def test_a_run_without_results_is_purged_and_says_so_afterwards(finished: Path, preceptor: CommandLine) -> None:
    (finished / "results.json").unlink()
    (finished / "report.html").unlink(missing_ok=True)
    assert preceptor.run("purge", finished, "--yes").code == 0
    asked = preceptor.run("report", finished)
    assert (asked.code, "this run was purged" in asked.errors) == (2, True)


def test_a_damaged_preflight_goes_whole(finished: Path, preceptor: CommandLine) -> None:
    (finished / "preflight.json").write_text('{"urgency": ["MRN-0001"')
    results = json.loads((finished / "results.json").read_text())
    results["study"]["tasks"][0]["dates"] = {"first": "2024-03-05", "last": "2025-01-31"}
    (finished / "results.json").write_text(json.dumps(results))
    assert preceptor.run("purge", finished, "--yes").code == 0
    assert not (finished / "preflight.json").exists()
    purged = json.loads((finished / "results.json").read_text())
    assert purged["study"]["tasks"][0]["dates"] == {"first": "2024", "last": "2025"}


def test_what_cannot_be_deleted_is_named(finished: Path, preceptor: CommandLine) -> None:
    if os.geteuid() == 0:
        pytest.skip("nothing is closed to root")
    (finished / "references").chmod(0o500)
    refused = preceptor.run("purge", finished, "--yes")
    assert (refused.code, "0123.json: it cannot be deleted" in refused.errors) == (2, True)


def test_the_report_of_built_in_cases_needs_no_answers_after_a_purge(
    tmp_path: Path, tiny_source: Any, preceptor: CommandLine
) -> None:
    folder = synthetic_run(tmp_path / "run", tiny_source)
    (folder / ".lock").touch()
    assert preceptor.run("purge", folder, "--yes").code == 0
    assert (folder / "report.html").exists()
