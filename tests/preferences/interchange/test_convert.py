"""`preceptor convert`, as a user types it."""

import json
from pathlib import Path

from command_line import CommandLine
from preceptor.preferences.interchange import read

SECRET = "burning when passing water"
PAIR = {"prompt": SECRET, "chosen": "urgent", "rejected": "=routine", "ward": "3"}


def source(folder: Path, *lines: object) -> Path:
    file = folder / "in.jsonl"
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return file


def test_a_file_is_converted_and_back(preceptor: CommandLine, tmp_path: Path) -> None:
    file = source(tmp_path, PAIR)
    for name in ("out.csv", "out.xlsx", "out.jsonl"):
        done = preceptor.run("convert", file, tmp_path / name)
        assert (done.code, done.errors) == (0, "")
        assert SECRET not in done.shown
        assert read(tmp_path / name)[0] == read(file)[0]
        assert (tmp_path / name).stat().st_mode & 0o777 == 0o600


def test_upload_needs_leave_and_what_is_lost_is_said(preceptor: CommandLine, tmp_path: Path) -> None:
    file, out = source(tmp_path, PAIR, PAIR), tmp_path / "out.jsonl"
    refused = preceptor.run("convert", file, out, "--to", "openai")
    assert refused.code == 2
    assert "--data-leaves-this-machine" in refused.errors
    assert not out.exists()
    done = preceptor.run("convert", file, out, "--to", "openai", "--data-leaves-this-machine")
    assert done.code == 0
    assert "Not held by the new file: id: 2 rows column `ward`: 2 rows" in done.shown


def test_a_file_that_is_there_stays_and_bad_rows_are_named(preceptor: CommandLine, tmp_path: Path) -> None:
    file, out = source(tmp_path, PAIR), tmp_path / "out.csv"
    out.write_text("mine")
    assert preceptor.run("convert", file, out).code == 2
    assert out.read_text() == "mine"
    assert preceptor.run("convert", file, out, "--overwrite").code == 0
    bad = preceptor.run("convert", source(tmp_path, PAIR, {"prompt": SECRET, "chosen": SECRET}), tmp_path / "b.csv")
    assert bad.code == 2
    assert "row 2, rejected" in bad.errors
    assert SECRET not in bad.errors


def test_options_of_a_run_folder_go_with_one(preceptor: CommandLine, tmp_path: Path) -> None:
    assert "only goes with a run folder" in preceptor.run("convert", source(tmp_path), "o.csv", "--arm", "sft").errors
    assert "Say --task and --arm" in preceptor.run("convert", tmp_path, tmp_path / "o.csv").errors
    empty = preceptor.run("convert", tmp_path, tmp_path / "o.csv", "--task", "t", "--arm", "sft+dpo")
    assert (empty.code, "no finished run" in empty.errors) == (2, True)
