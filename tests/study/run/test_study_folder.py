"""A study's data is found again from any folder, wherever run and data were moved together or the run alone."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from preceptor.files import write_json
from preceptor.report import write_report
from preceptor.study.finished.run import read_finished
from preceptor.study.run.study_folder import study_folders
from run_folders import real_run


@pytest.fixture(scope="module")
def _home(tmp_path_factory: pytest.TempPathFactory, tiny_source: Any) -> Path:
    """`run`, and its study file and data in `own`, in a folder with a name that looks like an option."""
    folder = tmp_path_factory.mktemp("home") / "ward --model 3"
    folder.mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        run = real_run(Path("run"), tiny_source, seeds=(0,))
    results = json.loads((folder / run / "results.json").read_text())
    write_json(folder / run / "results.json", results | {"command": "preceptor study own/study.yaml"})
    return folder


@pytest.fixture
def home(_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where it was made; the working directory is another."""
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    return _home


def is_found(run: Path) -> bool:
    cases = read_finished(run).cases("urgency")
    return bool(cases.read.examples) and "heart rate" in write_report(run, with_text=True).read_text()


def test_the_data_is_found_from_another_folder(home: Path) -> None:
    assert is_found(home / "run")


def test_a_run_that_was_moved_alone_finds_it(home: Path, tmp_path: Path) -> None:
    assert is_found(shutil.copytree(home / "run", tmp_path / "a" / "b" / "run"))


def test_a_run_that_was_copied_with_its_data_finds_the_copy(home: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(home, tmp_path / "copy")
    assert study_folders(copy / "run")[0].resolve() == copy / "own"
    (home / "own").rename(home / "away")
    try:
        assert is_found(copy / "run")
    finally:
        (home / "away").rename(home / "own")


def test_no_report_shows_where_it_lay(home: Path) -> None:
    for with_text in (False, True):
        assert str(home) not in write_report(home / "run", with_text=with_text).read_text()


@pytest.mark.parametrize("told", [None, "{", "[]", '{"relative": 3}'])
def test_without_it_the_working_directory_is_tried(home: Path, tmp_path: Path, told: str | None) -> None:
    run = shutil.copytree(home / "run", tmp_path / "run")
    (run / "study_folder.json").unlink()
    if told:
        (run / "study_folder.json").write_text(told)
    assert study_folders(run) == (Path(),)
