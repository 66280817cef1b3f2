"""A command that is told to end does so as after Ctrl-C: with a word about going on, and nothing that was kept lost."""

import csv
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import httpx2
import psutil
import pytest

from child_process import start
from prediction_files import label_rows, write_rows
from tiny_study import write_study, write_table

COMMAND = [sys.executable, "-c", "from preceptor.cli import main; main()"]
WORD = "stopped; the same command continues from here"
BOTH = pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
_PATIENCE = 180
"""Seconds until a command must come to where it is ended, on a busy machine."""


def run(*words: object, stop: signal.Signals | None, when: Callable[[], object]) -> tuple[int, str]:
    """Start a command and send it the signal as soon as `when` holds; its exit code and all that it said."""
    process = start([*COMMAND, *map(str, words)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        ends = time.monotonic() + _PATIENCE
        while not when():
            assert process.poll() is None, process.communicate()[0]
            assert time.monotonic() < ends
            time.sleep(0.01)
        if stop:
            process.send_signal(stop)
        said, _ = process.communicate(timeout=_PATIENCE)
    finally:
        process.kill()
    return process.returncode, said


@BOTH
def test_a_check_ends(number: signal.Signals, code: int, tmp_path: Path) -> None:
    study = tmp_path / "study.yaml"
    os.mkfifo(study)
    opened: list[int] = []

    def it_reads() -> bool:
        try:
            opened.append(os.open(study, os.O_WRONLY | os.O_NONBLOCK))  # fails while nobody reads
        except OSError:
            return False
        return True

    ended, said = run("check", study, stop=number, when=it_reads)
    os.close(opened[0])
    assert (ended, said.strip()) == (code, "stopped; the same command begins anew")


@pytest.mark.slow
@BOTH
def test_a_comparison_that_is_stopped_does_not_say_that_it_goes_on(
    number: signal.Signals, code: int, tmp_path: Path
) -> None:
    files = [write_rows(tmp_path / f"{seed}.jsonl", label_rows(0.7, patients=40_000, seed=seed)) for seed in (1, 2)]
    before = set(psutil.Process().children())

    def it_computes() -> bool:
        return any(one.cpu_times().user > 2 for one in set(psutil.Process().children()) - before)

    words = ("judge", *files, "--metric", "macro_f1", "--group", "each row")
    ended, said = run(*words, stop=number, when=it_computes)
    assert (ended, said.strip().splitlines()[-1]) == (code, "stopped; the same command begins anew")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "code", "processes"), [(signal.SIGINT, 130, 1), (signal.SIGTERM, 143, 1), (signal.SIGTERM, 143, 2)]
)
def test_a_study_ends_with_all_its_processes_and_goes_on_from_its_checkpoint(
    number: signal.Signals, code: int, processes: int, tmp_path: Path, tiny_model_folder: Path
) -> None:
    write_table(tmp_path / "cases.csv", patients=100)
    sft = {"epochs": 6, "batch_size": 4, "learning_rate": 0.01, "looks_per_epoch": 4, "patience": 24}
    numerics = {"threads": 1, "processes": processes}
    study = write_study(tmp_path, tiny_model_folder, arms=["base", "sft"], sft=sft, numerics=numerics)
    words = ["study", study, "--output-dir", tmp_path / "run"]
    started: list[psutil.Process] = []
    before = set(psutil.Process().children(recursive=True))  # other tests' helpers in this process

    def in_sft() -> bool:
        found = list(tmp_path.glob("run/stages/*/checkpoints/checkpoint-*"))
        started.extend(set(psutil.Process().children(recursive=True)) - before if found else [])
        return bool(found)

    ended, said = run(*words, stop=number, when=in_sft)
    assert (ended, said.splitlines()[-1]) == (code, WORD)
    assert "Traceback" not in said
    _, alive = psutil.wait_procs(started, timeout=30)
    assert alive == []
    assert list(tmp_path.glob("run/stages/*/checkpoints/checkpoint-*"))
    ended, said = run(*words, stop=None, when=lambda: True)
    assert ended == 0, said
    assert "What is left of the study takes" in said


@pytest.mark.slow
@BOTH
def test_the_page_for_raters_ends(number: signal.Signals, code: int, tmp_path: Path) -> None:
    with (tmp_path / "cases.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["patient", "note"], ["1", "Cough for a day"]])
    words = ["--task", "triage_urgency", "--group", "patient", "--port", 0, "--output-dir", tmp_path]
    store = tmp_path / "cases.labels.sqlite"

    def it_serves() -> bool:
        children = psutil.Process().children()
        return store.exists() and any(
            one.status == psutil.CONN_LISTEN for child in children for one in child.net_connections("inet")
        )

    ended, said = run("label", "--gold", tmp_path / "cases.csv", *words, stop=number, when=it_serves)
    assert (ended, said.splitlines()[-1]) == (code, WORD)
    assert "Traceback" not in said


@pytest.mark.slow
def test_a_page_in_the_background_of_a_script_outlives_ctrl_c(tmp_path: Path) -> None:
    write_table(tmp_path / "cases.csv", patients=2)
    words = ["--gold", tmp_path / "cases.csv", "--task", "triage_urgency", "--group", "patient", "--port", 0]
    script = 'trap "" INT; exec "$@"'  # what a shell without job control does for `command &`
    command = ["sh", "-c", script, "sh", *COMMAND, "label", *words, "--output-dir", tmp_path]
    with subprocess.Popen([*map(str, command)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            address = next(line for line in process.stdout if "http://" in line).split("http://")[1].split("/")[0]
            transport = httpx2.HTTPTransport(retries=10)  # links are shown a moment before the page is there
            with httpx2.Client(transport=transport, timeout=_PATIENCE) as client:
                for _ in range(2):
                    assert client.get(f"http://{address}/").status_code == 403
                    process.send_signal(signal.SIGINT)
                    time.sleep(0.5)
            process.send_signal(signal.SIGTERM)
            assert process.wait(_PATIENCE) == 143
        finally:
            process.kill()


def test_who_has_the_signal_ignored_is_not_ended_by_it(tmp_path: Path) -> None:
    (tmp_path / "study.yaml").write_text("no study")
    program = """
import os, signal, sys
signal.signal(signal.SIGTERM, signal.SIG_IGN)  # as whoever started the process may have done
from preceptor import cli
cli.app.callback()(lambda: os.kill(os.getpid(), signal.SIGTERM))
cli.main()
"""
    words = ["check", str(tmp_path / "study.yaml")]
    ended = subprocess.run([sys.executable, "-c", program, *words], capture_output=True, text=True)
    assert ended.returncode == 2, ended.stderr
    assert "it is not a study" in ended.stderr
