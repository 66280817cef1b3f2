"""A study on a Ray cluster ends with the bytes of one without, also when a machine dies; nobody outside hears of it."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psutil
import pytest
from benchmarks._two_nodes import kill_in_a_stage, two_nodes
from rich.console import Console

from command_line import CommandLine
from preceptor.engine import Numerics
from preceptor.errors import InputError, PreceptorError, Problem
from preceptor.models import fingerprint
from preceptor.study import load_study, run_study
from preceptor.study._alone import alone_in
from preceptor.study._on_ray import _crew
from preceptor.study._on_ray._crew import StepError
from preceptor.study._on_ray._steps import steps_left
from preceptor.study._on_ray._worker import Job, _failure, do, job_of, problems_here
from preceptor.study._run_folder import RunFolder, hold
from preceptor.study._stages import Workshop
from prepared_study import prepare_tiny
from study_runs import Run, run
from tiny_study import write_study, write_table

LONG: dict[str, Any] = {
    "seeds": [0, 1],
    "arms": ["base", "sft", "sft+dpo", "sft+sft", "tfidf"],
    "sft": {"epochs": 6, "batch_size": 8, "learning_rate": 0.01, "looks_per_epoch": 4, "patience": 24},
    "dpo": {"epochs": 3, "batch_size": 4, "learning_rate": 0.001, "looks_per_epoch": 4},
}


# What is left, and in which order


def test_every_stage_and_arm_is_a_step_behind_what_it_needs(
    tmp_path: Path, tiny_source: Any, tiny_tokenizer: Any
) -> None:
    study, prepared = prepare_tiny(tmp_path, tiny_tokenizer, seeds=[0, 1], arms=["base", "sft", "sft+dpo", "sft+sft"])
    workshop = Workshop(study, Numerics(threads=1), tiny_source, "hash", RunFolder(tmp_path / "run"), None)
    steps = [(one.seed, one.arm, one.what, one.after and one.after.what) for one in steps_left(workshop, [prepared])]
    assert steps == [
        (0, "base", "held-out answers", None),
        *(
            (seed, *step)
            for seed in (0, 1)
            for step in [
                ("sft", "SFT", None),
                ("sft", "held-out answers", "SFT"),
                ("sft+dpo", "pairs", "SFT"),
                ("sft+dpo", "DPO", "pairs"),
                ("sft+dpo", "held-out answers", "DPO"),
                ("sft+sft", "SFT continued", "DPO"),
                ("sft+sft", "held-out answers", "SFT continued"),
            ]
        ),
    ]


def test_only_what_is_missing_is_left(tmp_path: Path, tiny_model_folder: Path) -> None:
    finished = run(tmp_path, tiny_model_folder, tmp_path / "run", sft={"epochs": 1}, arms=["base", "sft"])
    workshop, prepared = workshop_of(finished)
    assert steps_left(workshop, [prepared]) == []
    more = replace(workshop, study=finished.study.model_copy(update={"arms": ("base", "sft", "sft+dpo")}))
    left = [(one.what, one.after and one.after.what) for one in steps_left(more, [prepared])]
    assert left == [("pairs", None), ("DPO", "pairs"), ("held-out answers", "DPO")]


# What a machine is asked before it works


@dataclass(frozen=True)
class Begun:
    """A study whose run folder this process holds, as other machines are told of it."""

    job: Job
    steps: list[Any]
    table: Path


@pytest.fixture
def begun(tmp_path: Path, tiny_model_folder: Path) -> Iterator[Begun]:
    finished = run(tmp_path, tiny_model_folder, tmp_path / "run", sft={"epochs": 1}, arms=["base", "sft"])
    workshop, prepared = workshop_of(finished)
    for ledger in finished.folder.glob("stages/*/ledger.json"):
        ledger.unlink()
    with hold(finished.folder):
        steps = steps_left(workshop, [prepared])
        yield Begun(job_of(workshop, [prepared], tmp_path), steps, tmp_path / "cases.csv")


def test_a_step_is_done_from_names_and_hashes_alone(begun: Begun) -> None:
    shares: list[float] = []
    assert problems_here(begun.job) == []
    assert [do(begun.job, step, shares.append) for step in begun.steps] == [None, None]
    assert list(begun.job.run_folder.glob("stages/*/ledger.json"))
    assert shares[0] > 0
    assert max(shares) == 1.0
    told = repr(begun.job) + repr(begun.steps)
    assert "heart rate" in begun.table.read_text()
    assert "heart rate" not in told


def test_a_machine_that_reads_other_cases_does_not_work(begun: Begun) -> None:
    begun.table.write_text(begun.table.read_text().replace("heart rate", "pulse"))
    (found,) = problems_here(begun.job)
    assert "not those of the machine where the command was started" in found.what
    assert "pulse" not in str(found)


def test_a_machine_with_other_versions_or_another_model_does_not_work(begun: Begun) -> None:
    versions = tuple((name, "0.1" if name == "torch" else version) for name, version in begun.job.versions)
    found = problems_here(replace(begun.job, versions=versions, model_hash="other"))
    assert ["torch is " in found[0].what, "files of the model" in found[1].what] == [True, True]


def test_a_machine_without_the_run_folder_does_not_work(begun: Begun, tmp_path: Path) -> None:
    (found,) = problems_here(replace(begun.job, run_folder=tmp_path / "elsewhere"))
    assert found.what == "the run folder is not there"


def test_a_machine_that_does_not_see_the_lock_does_not_work(tmp_path: Path, tiny_model_folder: Path) -> None:
    finished = run(tmp_path, tiny_model_folder, tmp_path / "run", sft={"epochs": 1}, arms=["base"])
    workshop, prepared = workshop_of(finished)  # nobody holds the folder, as it looks from where locks do not reach
    (found,) = problems_here(job_of(workshop, [prepared], tmp_path))
    assert "two machines could write the same file" in found.what


def workshop_of(finished: Run) -> tuple[Workshop, Any]:
    from preceptor.models import load_tokenizer
    from preceptor.study._check import check_study, model_of
    from preceptor.study._prepare import prepare
    from preceptor.study._runner import numerics_of

    base, folder = finished.study_file.parent, RunFolder(finished.folder)
    source = model_of(finished.study, base)
    (checked,) = check_study(finished.study, base, Console(quiet=True))
    numerics = numerics_of(finished.study, folder)
    prepared = prepare(checked, finished.study, load_tokenizer(source))
    return Workshop(finished.study, numerics, source, fingerprint(source), folder, None), prepared


# Two machines never write one stage at once


def test_who_comes_second_waits_until_the_first_is_done(tmp_path: Path) -> None:
    order: list[str] = []

    def second() -> None:
        with alone_in(tmp_path / "stage"):
            order.append("second")

    with alone_in(tmp_path / "stage"):
        waiting = threading.Thread(target=second)
        waiting.start()
        time.sleep(0.3)
        order.append("first")
    waiting.join()
    assert order == ["first", "second"]
    assert not (tmp_path / "stage" / ".lock").exists()


def test_who_waits_too_long_is_told_what_to_end(tmp_path: Path) -> None:
    with alone_in(tmp_path / "stage"), pytest.raises(InputError, match="cut off"), alone_in(tmp_path / "stage", 0.1):
        raise AssertionError("two are in the folder")
    with alone_in(tmp_path / "stage"):
        pass


# What is told of an error


@pytest.mark.parametrize(
    ("error", "kind", "told"),
    [
        (InputError(Problem("here", "what", "fix")), InputError, "here: what. fix"),
        (PreceptorError("our own words"), PreceptorError, "our own words"),
        (MemoryError("case text"), PreceptorError, "not enough memory"),
        (OSError(28, "No space left on device", "/runs/x"), OSError, "No space left"),
        (ValueError("case text"), StepError, "ValueError"),
    ],
)
def test_an_error_is_raised_again_without_a_word_of_a_case(error: Exception, kind: type, told: str) -> None:
    failure = _failure(error)
    assert "case text" not in repr(failure)
    with pytest.raises(kind, match=told) as raised:
        _crew._raise_again(failure, "a step")
    assert type(raised.value) is kind
    assert getattr(raised.value, "errno", None) == getattr(error, "errno", None)


def test_without_ray_the_command_says_how_to_get_it(preceptor: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    ended = preceptor.run("study", "quickstart", "--on", "ray")
    assert ended.code == 2
    assert "pip install 'preceptor[ray]'" in ended.errors


@pytest.mark.parametrize("words", [["--address", "auto"], ["--on", "slurm"]])
def test_options_that_do_not_go_together_are_refused(preceptor: CommandLine, words: list[str]) -> None:
    assert preceptor.run("study", "quickstart", *words).code == 2


# With Ray


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory, tiny_model_folder: Path) -> Run:
    """A study with every kind of step, by this process alone."""
    folder = tmp_path_factory.mktemp("alone")
    write_table(folder / "cases.csv", patients=100)
    return run(folder, tiny_model_folder, folder / "run", **LONG)


def on(cluster: Any, study: Run, folder: Path, console: Console) -> Run:
    loaded, base = load_study(str(study.study_file))
    results = run_study(loaded, base, folder, console, "preceptor study", ray_address=cluster.address)
    return Run(loaded, study.study_file, folder, results)


def same_bytes(a: Run, b: Run) -> None:
    for pattern in ("cells/**/predictions.jsonl", "stages/*/pairs.jsonl", "stages/*/adapter/*"):
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

    for where in ("_stages.Workshop._tune", "_stages.work_on_pairs", "_stages.run_dpo", "_cells._answer"):
        monkeypatch.setattr(f"preceptor.study.{where}", refuse)


@pytest.mark.slow
@pytest.mark.usefixtures("nothing_is_tuned_here")
def test_two_nodes_give_the_bytes_of_one_process_and_their_logs_no_case(alone: Run, tmp_path: Path) -> None:
    console = Console(record=True, width=200, file=open(os.devnull, "w"))  # noqa: PTH123, SIM115
    with two_nodes() as cluster:
        spread = on(cluster, alone, tmp_path / "run", console)
        session = Path(cluster.head_node.get_session_dir_path())
        logged = b"".join(file.read_bytes() for file in session.rglob("*") if file.is_file())
    same_bytes(alone, spread)
    said = console.export_text()
    places = {line.rsplit(" on ", 1)[1].strip() for line in said.splitlines() if " runs on " in line}
    assert len(places) == 2, "both nodes had work"
    assert "16/16" in said.replace(" ", "")
    assert len(logged) > 1000
    assert b"heart rate" not in logged


@pytest.mark.slow
@pytest.mark.usefixtures("nothing_is_tuned_here")
def test_a_node_that_dies_in_the_middle_of_a_stage_costs_only_what_was_not_yet_kept(
    alone: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    news: list[tuple[int, str, float]] = []
    show = _crew.Crew._show
    monkeypatch.setattr(_crew.Crew, "_show", lambda crew, some: (news.extend(some), show(crew, some))[1])
    console = Console(record=True, width=200, file=open(os.devnull, "w"))  # noqa: PTH123, SIM115
    killed: list[Path] = []
    with two_nodes() as cluster:
        killing = threading.Thread(
            target=lambda: killed.append(kill_in_a_stage(cluster, tmp_path / "run", after_step=9)), daemon=True
        )
        killing.start()
        disturbed = on(cluster, alone, tmp_path / "run", console)
    assert killed, "the node was never in the middle of a stage"
    same_bytes(alone, disturbed)
    assert console.export_text().count(" goes on, now on ") == 1
    again = [number for number, _, share in news if share == 0.0]
    (twice,) = {number for number in again if again.count(number) == 2}
    shares = [share for number, _, share in news if number == twice]
    began_again = shares[shares.index(0.0, 1) + 1]
    assert began_again >= 0.1, "it went on from its checkpoint, and not from its start"


@pytest.mark.slow
def test_ray_on_this_machine_listens_to_nobody_else_and_ctrl_c_stops_all(
    tmp_path: Path, tiny_model_folder: Path
) -> None:
    write_table(tmp_path / "cases.csv", patients=100)
    study = write_study(tmp_path, tiny_model_folder, **LONG)
    command = [str(Path(sys.executable).with_name("preceptor")), "study", str(study), "--on", "ray"]
    process = subprocess.Popen(
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
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 130, said
    assert "the same command continues from here" in said
    _, alive = psutil.wait_procs(started, timeout=20)
    assert alive == []
