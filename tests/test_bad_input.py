"""What a user can get wrong, through the command line: exit code, file, row, remedy, and nothing trained."""

import csv
import errno
import json
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from command_line import CommandLine, Outcome
from preceptor.engine import run_sft
from preceptor.errors import InputError
from preceptor.full_disk import explain_full_disk
from preceptor.study import runner
from preceptor.study.stages import sft
from tiny_study import TASK, write_study, write_table

SECRET = "she whispered xyzzy"
"""Stands in every note and in every text answer; no message may repeat it."""


class Case:
    """A study that would run, in a folder of its own, to be spoiled by a test."""

    def __init__(self, folder: Path, model: Path, preceptor: CommandLine) -> None:
        self.folder, self.model, self.run, self._preceptor = folder, model, folder / "run", preceptor
        self.study = write_study(folder, model)
        self.table = folder / "cases.csv"
        self.rows = [
            {"patient": f"P{n}", "note": f"{SECRET} {n} times", "urgency": ("urgent", "routine")[n % 2]}
            for n in range(30)
        ]
        self.write_rows()

    def write_rows(self) -> None:
        with self.table.open("w", encoding="utf-8", newline="") as file:
            out = csv.DictWriter(file, ["patient", "note", "urgency"])
            out.writeheader()
            out.writerows(self.rows)

    def write_lines(self, rows: list[dict[str, Any]]) -> Path:
        """The cases as JSON lines, and a study that reads them."""
        path = self.folder / "cases.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        self.say_data(path="cases.jsonl")
        return path

    def say_data(self, **data: Any) -> None:
        study = yaml.safe_load(self.study.read_text())
        study["tasks"][0]["data"] |= data
        self.study.write_text(yaml.safe_dump(study))

    def say(self, **settings: Any) -> None:
        write_study(self.folder, self.model, **settings)

    def start(self, run: Path | None = None) -> Outcome:
        return self._preceptor.run("study", self.study, "--output-dir", run or self.run)

    def refused(self, *words: str, run: Path | None = None) -> Outcome:
        """Exit code 2, all of `words` said, no traceback, no text of a case, nothing trained."""
        outcome = self.start(run)
        assert outcome.code == 2, outcome
        assert outcome.errors.startswith("error ")
        for word in words:
            assert word in outcome.errors
        assert "Traceback" not in outcome.errors + outcome.shown
        assert "xyzzy" not in outcome.errors + outcome.shown
        assert not (self.run / "stages").exists()
        assert not (self.run / "cells").exists()
        return outcome


@pytest.fixture
def case(tmp_path: Path, tiny_model_folder: Path, preceptor: CommandLine) -> Case:
    return Case(tmp_path, tiny_model_folder, preceptor)


# --- the table ---


def test_a_missing_file_and_what_it_may_be_called(case: Case) -> None:
    case.say_data(path="case.csv")
    case.refused("case.csv: no such file", "Did you mean `cases.csv`?")


def test_json_lines_that_are_not_utf8(case: Case) -> None:
    path = case.write_lines(case.rows)
    lines = path.read_bytes().split(b"\n")
    lines[4] = lines[4].replace(b"whispered", b"fl\xfcsterte")
    path.write_bytes(b"\n".join(lines))
    case.refused("cases.jsonl, row 5: not UTF-8", "save the file as UTF-8")


def test_a_table_in_no_encoding_that_can_be_found_out(case: Case) -> None:
    case.table.write_bytes(case.table.read_bytes().replace(b"whispered", b"\0\0\xff\0"))
    case.refused("cases.csv: this is not text", "Save it as UTF-8")


def test_broken_json_in_row_7(case: Case) -> None:
    path = case.write_lines(case.rows)
    lines = path.read_text().split("\n")
    lines[6] = lines[6][:-1]
    path.write_text("\n".join(lines))
    case.refused("cases.jsonl, row 7: broken JSON", "Correct this row")


def test_a_missing_column_and_the_nearest_one(case: Case) -> None:
    case.say_data(group="patients")
    case.refused("cases.csv: there is no column `patients`", "Did you mean `patient`?", "Columns are `patient`, ")


def test_a_label_outside_the_list_and_an_empty_answer_at_once(case: Case) -> None:
    case.rows[2]["urgency"] = "Routin"
    case.rows[8]["urgency"] = "  "
    case.write_rows()
    case.refused(
        "cases.csv, row 4: label `Routin` is not one of the task's",
        "Did you mean `routine`?",
        "cases.csv, row 10: the answer is empty. Fill it, or leave the row out",
    )


def test_all_rows_one_label(case: Case) -> None:
    for row in case.rows:
        row["urgency"] = "routine"
    case.write_rows()
    case.refused("train cases: every one has the label routine", "at least two labels")


def test_one_patient_only(case: Case) -> None:
    for row in case.rows:
        row["patient"] = "P1"
    case.write_rows()
    case.refused("task urgency: one patient only", "check that `group` names the patient's column")


def test_an_identical_chosen_and_rejected(case: Case) -> None:
    rows = [
        {"id": n, "prompt": f"case {n} {SECRET}", "chosen": f"yes {SECRET}", "rejected": f"no {SECRET}"}
        for n in range(12)
    ]
    rows[3]["rejected"] = rows[3]["chosen"]
    (case.folder / "pairs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    case.say(tasks=[{"task": "as_given", "data": {"path": "pairs.jsonl", "group": "each row"}}])
    case.refused("pairs.jsonl, row 4: `chosen` and `rejected` are the same", "Correct this row")


def long_note(case: Case) -> None:
    """Over 100,000 tokens: each of these words is at least two."""
    case.rows[0]["note"] = "xyzzy " * 50_000
    case.write_rows()


def test_a_note_of_100000_tokens_where_nothing_may_be_cut(case: Case) -> None:
    long_note(case)
    (case.folder / "urgency.task.yaml").write_text(yaml.safe_dump({**TASK, "cut": None}))
    said = case.refused("case 2: cannot fit: up to ", "name a field under `cut:`").errors
    needed = int(said.split("cannot fit: up to ")[1].split()[0])
    assert needed > 100_000


def test_a_note_of_100000_tokens_is_cut_and_counted(case: Case, preceptor: CommandLine) -> None:
    long_note(case)
    outcome = preceptor.run("check", case.study)
    assert outcome.code == 0, outcome
    assert "field note is cut in its middle in 1 of" in outcome.shown
    assert "xyzzy" not in outcome.shown


# --- the model ---


@pytest.mark.parametrize(
    ("gone", "words"),
    [
        (["tokenizer.json", "tokenizer_config.json"], "there is no tokenizer in it"),
        (["chat_template.jinja"], "its tokenizer has no chat template"),
        (["model.safetensors"], "there is no model.safetensors in it"),
    ],
)
def test_a_model_folder_without_what_it_needs(case: Case, gone: list[str], words: str) -> None:
    spoilt = Path(shutil.copytree(case.model, case.folder / "spoilt"))
    for name in gone:
        (spoilt / name).unlink()
    case.say(model=str(spoilt))
    case.refused(f"model {spoilt}: {words}")


def test_a_model_that_is_only_there_as_pickle(case: Case) -> None:
    spoilt = Path(shutil.copytree(case.model, case.folder / "spoilt"))
    (spoilt / "model.safetensors").rename(spoilt / "pytorch_model.bin")
    case.say(model=str(spoilt))
    case.refused(f"model {spoilt}: its weights are only there as pickle", "Save it again with `save_pretrained`")


def test_a_max_length_above_the_context_length(case: Case) -> None:
    case.say(max_length=5000)
    case.refused("5000 tokens are asked for, and the context length of", " is 4096", "Set it to 4096 or less")


def test_a_model_that_is_not_there(case: Case) -> None:
    case.say(model="./no/such/model")
    case.refused("model ./no/such/model: there is no such folder", "Name a model folder")


# --- the study file ---


def test_a_study_that_is_not_there(case: Case) -> None:
    case.study.unlink()
    case.refused(
        "study.yaml: there is no such study file",
        "built-in study: abbreviations, debias, five-tasks",
        "preceptor new FILE",
    )


def test_a_study_that_is_not_yaml(case: Case) -> None:
    case.study.write_text("name: tiny\nmodel: a: b\n")
    case.refused("study.yaml, line 2: it is not valid YAML")
    case.study.write_text("name: 2024-13-45\n")
    case.refused("study.yaml, line 1: it is not valid YAML")
    case.study.write_bytes(b"name: fl\xfcchtig\n")
    case.refused("study.yaml: it cannot be read as UTF-8 text")
    case.study.write_text("just words\n")
    case.refused("study.yaml: it is not a study")


def test_every_wrong_setting_at_once(case: Case) -> None:
    case.say(sead=1, arms=["base", "rlhf"], seeds=[-1], sft={"epochs": 0, "lr": 1}, name="a/b", max_length=8)
    case.say_data(group=True)
    lines = case.study.read_text().split("\n")
    case.refused(
        f"study.yaml, line {lines.index('sead: 1') + 1}, sead: there is no such setting",
        f"study.yaml, line {lines.index('- rlhf') + 1}, arms.1:",
        f"study.yaml, line {lines.index('- -1') + 1}, seeds.0:",
        f"study.yaml, line {lines.index('  epochs: 0') + 1}, sft.epochs:",
        f"study.yaml, line {lines.index('  lr: 1') + 1}, sft.lr: there is no such setting",
        f"study.yaml, line {lines.index('name: a/b') + 1}, name:",
        f"study.yaml, line {lines.index('max_length: 8') + 1}, max_length:",
        f"study.yaml, line {lines.index('    group: true') + 1}, tasks.0.data.group:",
    )


@pytest.mark.parametrize("setting", [{"dpo": {"beta": float("inf")}}, {"sft": {"learning_rate": float("nan")}}])
def test_a_setting_that_is_no_number(case: Case, setting: dict[str, Any]) -> None:
    case.say(**setting)
    case.refused("finite number")


@pytest.mark.parametrize("rest", [b"", b"[]", b"{}", b"name: tin", b"\xff\xfe"])
def test_a_run_folder_whose_study_is_spoiled(case: Case, rest: bytes) -> None:
    case.run.mkdir()
    (case.run / ".lock").touch()
    (case.run / "study.yaml").write_bytes(rest)
    case.refused("study.yaml: what this run was begun with cannot be read", "--output-dir")


def test_the_same_task_twice(case: Case) -> None:
    entry = yaml.safe_load(case.study.read_text())["tasks"][0]
    case.say(tasks=[entry, entry])
    case.refused("task urgency: it stands twice in the study")


def test_a_task_whose_name_leads_out_of_the_run_folder(case: Case) -> None:
    (case.folder / "urgency.task.yaml").write_text(yaml.safe_dump({**TASK, "name": "../../elsewhere"}))
    case.refused("urgency.task.yaml, line ", ", name: ")


def test_problems_of_every_task_are_told_at_once(case: Case) -> None:
    entry = yaml.safe_load(case.study.read_text())["tasks"][0]
    unknown = {"task": "no_such_task", "data": {"cases": 10}}
    case.say(tasks=[{**entry, "data": {**entry["data"], "target": "urgencies"}}, unknown])
    case.refused("there is no column `urgencies`", "'no_such_task'")


# --- the run folder and the disk ---


def test_a_run_folder_below_a_file(case: Case) -> None:
    case.refused("cases.csv/run: the run folder cannot be made", "--output-dir", run=case.table / "run")


def test_a_run_folder_that_is_a_file(case: Case) -> None:
    case.refused("cases.csv: the run folder cannot be made", run=case.table)


def test_a_folder_that_holds_other_things_is_left_as_it_is(case: Case) -> None:
    photos = case.folder / "photos"
    photos.mkdir(mode=0o755)
    (photos / "cat.jpg").touch()
    case.refused("photos: this folder holds other things than a run", run=photos)
    assert photos.stat().st_mode & 0o777 == 0o755
    assert [one.name for one in photos.iterdir()] == ["cat.jpg"]


def test_a_folder_with_a_study_of_the_users_own_is_left_as_it_is(case: Case) -> None:
    mine = {"study.yaml": case.study.read_text() + "# my own words\n", "notes.part": "mine"}
    for name, text in mine.items():
        (case.folder / name).write_text(text)
    mode = case.folder.stat().st_mode
    case.refused("this folder holds other things than a run", run=case.folder)
    assert {name: (case.folder / name).read_text() for name in mine} == mine
    assert case.folder.stat().st_mode == mode


def test_a_second_process_on_the_same_run_folder(case: Case) -> None:
    case.run.mkdir()
    hold = (
        "import sys, filelock; lock = filelock.FileLock(sys.argv[1]); lock.acquire(); print('held', flush=True); "
        "sys.stdin.read()"
    )
    command = [sys.executable, "-c", hold, str(case.run / ".lock")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout
        assert other.stdout.readline() == "held\n"
        case.refused("run: another process is working in this run folder", "Wait until it has finished")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 1 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", folder], capture_output=True)
    if mounted.returncode:
        pytest.skip("mounting a small file system is not permitted here")
    yield folder
    subprocess.run(["umount", folder], check=True)


def test_a_disk_that_is_too_small_is_seen_before_training(case: Case, small_disk: Path) -> None:
    case.refused("MB are free, 300 MB are needed", "Free some space", run=small_disk / "run")
    assert not (small_disk / "run" / "stages").exists()


@pytest.fixture
def small_files() -> Iterator[None]:
    """No file may grow beyond 40 kB, as after `ulimit -f 40`: the first checkpoint does not fit."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.usefixtures("small_files")
def test_a_file_that_may_not_grow_is_told_as_a_full_disk_is(case: Case) -> None:
    write_table(case.table)
    case.refused(f"{case.run}: a file may not grow as large as it must", "`ulimit -f`", "continues where it stopped")


@pytest.mark.parametrize(
    ("error", "what"),
    [
        (OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), "the disk is full"),
        (OSError(errno.EDQUOT, os.strerror(errno.EDQUOT)), "your disk quota is used up"),
        (OSError(errno.EFBIG, os.strerror(errno.EFBIG)), "a file may not grow"),
        (RuntimeError("I/O error: Disk quota exceeded (os error 122)"), "your disk quota is used up"),
    ],
)
def test_what_finds_no_room_is_explained(tmp_path: Path, error: Exception, what: str) -> None:
    with pytest.raises(InputError, match=what), explain_full_disk(tmp_path / "run"):
        raise error
    with pytest.raises(RuntimeError, match="of ours"), explain_full_disk(tmp_path / "run"):
        raise RuntimeError("a fault of ours")


@pytest.mark.slow
def test_a_disk_that_fills_up_while_training_and_is_freed_again(
    case: Case, small_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_table(case.table)
    monkeypatch.setattr(runner, "_FREE_BYTES_NEEDED", 0)
    run = small_disk / "run"
    ballast = small_disk / "ballast"

    def fill_and_train(*args: Any, **settings: Any) -> Any:
        ballast.write_bytes(bytes(shutil.disk_usage(small_disk).free - 8192))
        return run_sft(*args, **settings)

    monkeypatch.setattr(sft, "run_sft", fill_and_train)
    outcome = case.start(run)
    assert outcome.code == 2, outcome
    assert f"{run}: the disk is full. Free some space; the same command then continues" in outcome.errors
    assert "Traceback" not in outcome.errors
    assert list(run.glob("stages/*"))
    assert not (run / "results.json").exists()
    ballast.unlink()
    monkeypatch.setattr(sft, "run_sft", run_sft)
    outcome = case.start(run)
    assert outcome.code == 0, outcome
    assert (run / "report.html").exists()


# --- preceptor check DATA ---


def test_check_of_a_table_asks_for_the_patient(case: Case, preceptor: CommandLine) -> None:
    words = ["check", case.table, "--task", case.folder / "urgency.task.yaml", "--model", case.model]
    outcome = preceptor.run(*words, "--target", "urgency")
    assert outcome.code == 2
    assert "nothing says which cases are one patient's" in outcome.errors
    outcome = preceptor.run(*words, "--target", "urgency", "--group", "patient", "--max-length", "8")
    assert outcome.code == 2
    assert "preceptor check, max_length" in outcome.errors
    assert "Traceback" not in outcome.errors
    assert preceptor.run(*words, "--target", "urgency", "--group", "patient").code == 0
