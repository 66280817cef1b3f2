"""The whole loop on a machine without network: nothing is reached, and nothing is even tried."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from command_line import CommandLine
from tiny_study import write_study

_WATCHED = {"socket.connect", "socket.sendto", "socket.sendmsg", "socket.getaddrinfo", "socket.gethostbyname"}
_tried: list[str] = []
_watching = [False]


def _watch(event: str, arguments: tuple[object, ...]) -> None:
    """Python calls this whenever any library of this process reaches for the network."""
    if _watching[0] and event in _WATCHED:
        _tried.append(f"{event} {arguments[-1] if event == 'socket.connect' else arguments[0]}")
        raise ConnectionRefusedError("sockets are blocked")


@contextmanager
def sockets_blocked() -> Iterator[list[str]]:
    """Every attempt to reach or look up a host fails; yields the attempts, also those a library kept to itself."""
    _tried.clear()
    _watching[0] = True
    try:
        yield _tried
    finally:
        _watching[0] = False


sys.addaudithook(_watch)  # cannot be taken away again, so it sleeps outside the block


def test_an_attempt_would_be_seen() -> None:
    import socket

    with sockets_blocked() as tried, pytest.raises(ConnectionRefusedError):
        socket.create_connection(("192.0.2.1", 80), timeout=1)
    assert tried


def test_a_whole_study_tries_no_connection(tmp_path: Path, tiny_model_folder: Path, preceptor: CommandLine) -> None:
    study = write_study(tmp_path, tiny_model_folder)
    with sockets_blocked() as tried:
        checked = preceptor.run("check", study)
        ran = preceptor.run("study", study, "--output-dir", tmp_path / "run")
        reported = preceptor.run("report", tmp_path / "run")
    assert (checked.code, ran.code, reported.code) == (0, 0, 0), ran
    assert tried == []


def test_a_classifier_tries_no_connection(tmp_path: Path, tiny_encoder_folder: Path, preceptor: CommandLine) -> None:
    settings: dict[str, Any] = {
        "arms": ["classify", "tfidf"],
        "primary": [["classify", "tfidf"]],
        "classify": {"epochs": 1},
    }
    study, run = write_study(tmp_path, tiny_encoder_folder, **settings), tmp_path / "run"
    about = ("--task", "urgency", "--arm", "classify", "--to", "merged", "--output-dir", tmp_path / "out")
    with sockets_blocked() as tried:
        ran = preceptor.run("study", study, "--output-dir", run)
        taken = preceptor.run("export", run, *about)
    assert (ran.code, taken.code) == (0, 0), (ran, taken)
    assert tried == []


@pytest.mark.slow
def test_a_whole_study_runs_where_there_is_no_network_at_all(tmp_path: Path, tiny_model_folder: Path) -> None:
    unshare = shutil.which("unshare")
    if not unshare or subprocess.run([unshare, "--net", "true"], capture_output=True).returncode:
        pytest.skip("a process without network cannot be started here")
    study, run = write_study(tmp_path, tiny_model_folder), tmp_path / "run"
    program = Path(sys.executable).with_name("preceptor")
    command = [unshare, "--net", str(program), "study", str(study), "--output-dir", str(run)]
    home = {"HF_HOME": str(tmp_path / "empty"), "XDG_CACHE_HOME": str(tmp_path / "empty")}  # nothing fetched before
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | home, timeout=300)
    assert done.returncode == 0, done.stderr
    assert (run / "report.html").exists()
