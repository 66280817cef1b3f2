"""A study on a Ray cluster ends with the bytes of one without, also when a machine dies; nobody outside hears of it."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import psutil
import pytest
from benchmarks._two_nodes import kill_in_a_stage, two_nodes
from rich.console import Console

from child_process import start
from preceptor.study import load_study, run_study
from preceptor.study.ray import THIS_MACHINE, require_ray
from study_runs import Run, run
from tiny_study import write_study, write_table

PRECEPTOR = Path(sys.executable).with_name("preceptor")
SCRIPT = Path(__file__).parents[2] / "examples" / "ray_node.sh"
LONG: dict[str, Any] = {
    "seeds": [0, 1],
    "arms": ["base", "sft", "sft+dpo", "sft+sft", "tfidf"],
    "sft": {"epochs": 4, "batch_size": 8, "learning_rate": 0.01, "looks_per_epoch": 4, "patience": 16},
    "dpo": {"epochs": 2, "batch_size": 4, "learning_rate": 0.001, "looks_per_epoch": 4},
}


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory, tiny_model_folder: Path) -> Run:
    """A study with every kind of step, by this process alone."""
    folder = tmp_path_factory.mktemp("alone")
    write_table(folder / "cases.csv", patients=100)
    return run(folder, tiny_model_folder, folder / "run", **LONG)


def same_bytes(a: Run, b: Run) -> None:
    for pattern in ("cells/**/predictions.jsonl", "stages/*/pairs.jsonl", "stages/*/adapter/adapter_*"):
        expected, found = contents(a.folder, pattern), contents(b.folder, pattern)
        assert expected
        assert found.keys() == expected.keys()
        assert [name for name in expected if expected[name] != found[name]] == []
    assert list(b.folder.glob("stages/*/.lock")) == list(b.folder.glob("stages/*/checkpoints")) == []
    assert [cell["value"] for cell in a.results["cells"]] == [cell["value"] for cell in b.results["cells"]]


def contents(folder: Path, pattern: str) -> dict[Path, bytes]:
    return {path.relative_to(folder): path.read_bytes() for path in folder.glob(pattern) if path.is_file()}


@pytest.fixture
def nothing_is_tuned_here(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("this process was to wait for others")

    for where in ("stage_tree.stage_context.Context.tune", "stages.pairs.run", "predictions.answering._answer"):
        monkeypatch.setattr(f"preceptor.study.{where}", refuse)


@pytest.mark.slow
def test_machines_started_as_the_docs_say_give_the_bytes_of_one_process_and_their_logs_no_case(
    alone: Run, tmp_path: Path
) -> None:
    environment = os.environ | {"HOME": str(tmp_path), "RAY_AUTH_MODE": "token", "OMP_NUM_THREADS": "1"}
    environment["PATH"] = f"{Path(sys.executable).parent}:{environment['PATH']}"
    port = free_port()
    run_folder, logs = (
        tmp_path / "run",
        Path(tempfile.mkdtemp(prefix="ray-", dir="/tmp")),
    )  # Ray's sockets have short names
    with (tmp_path / "nodes.txt").open("w+") as said, ExitStack() as ending:

        def command(*words: object, wait: bool) -> int:
            process = subprocess.Popen([*map(str, words)], env=environment, stdout=said, stderr=subprocess.STDOUT)
            if wait:
                return process.wait()
            ending.callback(end, process)
            return 0

        ending.callback(shutil.rmtree, logs)
        assert command("ray", "get-auth-token", "--generate", wait=True) == 0
        node = ["--num-cpus", 1, "--temp-dir", logs]
        command(SCRIPT, "head", "--port", port, *node, wait=False)
        head = f"{wait_for(r'Local node IP: ([0-9.]+)', said.name)}:{port}"
        wait_for("Ray runtime started", said.name)
        command(SCRIPT, head, "--num-cpus", 1, wait=False)
        wait_for("Ray runtime started[^$]*Ray runtime started", said.name)
        study = [PRECEPTOR, "study", alone.study_file, "--on", "ray", "--address", head, "--output-dir", run_folder]
        ended = command(*study, wait=True)
        text = Path(said.name).read_text()
        assert ended == 0, text
        logged = b"".join(file.read_bytes() for file in logs.rglob("*") if file.is_file())
    same_bytes(
        alone, Run(alone.study, alone.study_file, run_folder, json.loads((run_folder / "results.json").read_text()))
    )
    assert len(set(re.findall(r"seed \d: runs on (.*)", text))) == 2, "both machines had work"
    assert "16/16" in text
    assert "lets in whoever reaches it" not in text
    assert len(logged) > 1000
    assert b"heart rate" not in logged


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("", 0))
        return int(free.getsockname()[1])


def wait_for(pattern: str, file: str) -> str:
    """What a process wrote, once it did."""
    for _ in range(1200):
        if found := re.search(pattern, Path(file).read_text()):
            return found.group(found.lastindex or 0)
        time.sleep(0.1)
    raise AssertionError(Path(file).read_text())


def end(process: subprocess.Popen[bytes]) -> None:
    """End a node with all that it started."""
    started = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
    for one in started:
        with suppress(psutil.Error):
            one.kill()
    process.wait()
    psutil.wait_procs(started, timeout=20)


@pytest.mark.slow
@pytest.mark.usefixtures("nothing_is_tuned_here")
def test_a_node_that_dies_in_the_middle_of_a_stage_costs_only_what_was_not_yet_kept(
    alone: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    require_ray(THIS_MACHINE)
    from ray.util.queue import Queue

    news: list[tuple[str, str, float]] = []
    read = Queue.get_nowait_batch
    monkeypatch.setattr(Queue, "get_nowait_batch", lambda *asked: (news.extend(some := read(*asked)), some)[1])
    console = Console(record=True, width=200, file=open(os.devnull, "w"))  # noqa: PTH123, SIM115
    killed: list[Path] = []
    with two_nodes() as cluster:
        killing = threading.Thread(
            target=lambda: killed.append(kill_in_a_stage(cluster, tmp_path / "run", after_step=9)), daemon=True
        )
        killing.start()
        loaded, base = load_study(str(alone.study_file))
        results = run_study(loaded, base, tmp_path / "run", console, "preceptor study", ray_address=cluster.address)
    disturbed = Run(loaded, alone.study_file, tmp_path / "run", results.model_dump(mode="json"))
    assert killed, "the node was never in the middle of a stage"
    same_bytes(alone, disturbed)
    assert console.export_text().count(" goes on, now on ") == 1
    again = [step for step, _, share in news if share == 0.0]
    (twice,) = {step for step in again if again.count(step) == 2}
    shares = [share for step, _, share in news if step == twice]
    began_again = shares[shares.index(0.0, 1) + 1]
    assert began_again >= 0.1, "it went on from its checkpoint, and not from its start"


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_ray_on_this_machine_listens_to_nobody_else_and_a_signal_stops_all(
    number: signal.Signals, code: int, tmp_path: Path, tiny_model_folder: Path
) -> None:
    write_table(tmp_path / "cases.csv", patients=100)
    study = write_study(tmp_path, tiny_model_folder, **LONG)
    command = [str(PRECEPTOR), "study", str(study), "--on", "ray"]
    process = start(
        [*command, "--output-dir", str(tmp_path / "run")], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    while process.poll() is None and not list(tmp_path.glob("run/stages/*/checkpoints/checkpoint-*")):
        time.sleep(0.05)
    assert process.poll() is None, process.stdout.read()
    started = psutil.Process(process.pid).children(recursive=True)
    listening = {
        connection.laddr.ip.removeprefix("::ffff:")
        for one in (psutil.Process(process.pid), *started)
        for connection in one.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    }
    assert listening == {"127.0.0.1"}
    process.send_signal(number)
    said, _ = process.communicate(timeout=60)
    assert process.returncode == code, said
    assert "the same command continues from here" in said
    _, alive = psutil.wait_procs(started, timeout=20)
    assert alive == []
