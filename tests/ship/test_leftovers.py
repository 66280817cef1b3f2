"""What a killed export leaves behind goes with the next one; what another is still writing does not."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from filelock import FileLock

from preceptor.ship._export import _staging_folder

KILLED = """
import os, signal, sys
from pathlib import Path
from preceptor.ship._export import _staging_folder
with _staging_folder(Path(sys.argv[1])) as aside:
    (aside / "model.safetensors").write_text("weights")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def left(folder: Path) -> list[str]:
    return sorted(path.name.rpartition(".")[2] for path in folder.iterdir())


def test_what_a_killed_export_left_is_removed_by_the_next(tmp_path: Path) -> None:
    killed = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path / "out")], env=os.environ, check=False)
    assert killed.returncode == -signal.SIGKILL
    assert left(tmp_path) == ["lock", "part"]
    (leftover,) = tmp_path.glob("*.part")
    with _staging_folder(tmp_path / "other") as aside:
        assert not leftover.exists()
        assert left(tmp_path) == ["lock", "part"]  # its own
        assert aside.stat().st_mode & 0o777 == 0o700
    assert left(tmp_path) == []


def test_what_another_export_writes_stays(tmp_path: Path) -> None:
    with _staging_folder(tmp_path / "out") as first, _staging_folder(tmp_path / "out") as second:
        assert first != second
        (first / "file").write_text("mine")
        with _staging_folder(tmp_path / "third"):
            assert (first / "file").read_text() == "mine"
            assert second.is_dir()
    assert left(tmp_path) == []


@pytest.mark.parametrize("name", [".export-mine.part", f".export-{'0' * 32}.part", "notes.part"])
def test_what_is_not_an_exports_stays(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    (tmp_path / name / "notes.txt").write_text("mine")
    (tmp_path / ".export-mine.lock").write_text("mine")
    with _staging_folder(tmp_path / "out"):
        pass
    assert (tmp_path / name / "notes.txt").read_text() == "mine"
    assert (tmp_path / ".export-mine.lock").exists()


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "notes.txt").write_text("mine")
    here = tmp_path / "here"
    here.mkdir()
    (here / f".export-{'a' * 32}.lock").touch()
    (here / f".export-{'a' * 32}.part").symlink_to(outside)
    with _staging_folder(here / "out"):
        pass
    assert (outside / "notes.txt").read_text() == "mine"


def test_an_export_whose_lock_is_held_is_at_work(tmp_path: Path) -> None:
    aside = tmp_path / f".export-{'b' * 32}.part"
    aside.mkdir()
    with FileLock(aside.with_suffix(".lock")), _staging_folder(tmp_path / "out"):
        assert aside.is_dir()
    with _staging_folder(tmp_path / "out"):
        assert not aside.exists()
