"""What a cluster is handed: steps in order, told by names and hashes; errors come back without a word of a case."""

import pickle
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from command_line import CommandLine
from preceptor.engine import Numerics, without_case
from preceptor.errors import InputError, OutOfMemoryError, PreceptorError, Problem, UnforeseenError
from preceptor.models import fingerprint, load_tokenizer
from preceptor.study.cases import prepare
from preceptor.study.check import check_study
from preceptor.study.ray import THIS_MACHINE, require_ray
from preceptor.study.ray.on_cluster import _cause
from preceptor.study.ray.steps import Step, needs_of, remaining_steps
from preceptor.study.ray.worker import Job, do, job_of, problems_here
from preceptor.study.run.failures import Part
from preceptor.study.run.folder import RunFolder, run_lock
from preceptor.study.run.locks import folder_lock
from preceptor.study.run.session import numerics_of
from preceptor.study.spec.paths import model_of
from preceptor.study.stage_tree.tree import StageTree
from prepared_study import prepare_tiny
from study_runs import Run, run

ray = require_ray(THIS_MACHINE)
# What is left, and in which order


def test_every_stage_and_arm_is_a_step_behind_what_it_needs(
    tmp_path: Path, tiny_source: Any, tiny_tokenizer: Any
) -> None:
    study, prepared = prepare_tiny(tmp_path, tiny_tokenizer, seeds=[0, 1], arms=["base", "sft", "sft+dpo", "sft+sft"])
    tree = StageTree(study, Numerics(threads=1), tiny_source, "hash", RunFolder(tmp_path / "run"), None)
    steps = [(one.part.seed, one.part.arm, *titles(one)) for one in remaining_steps(tree, [prepared])]
    assert steps == [
        (0, "base", "answers", None),
        *(
            (seed, *step)
            for seed in (0, 1)
            for step in [
                ("sft", "SFT", None),
                ("sft", "answers", "SFT"),
                ("sft+dpo", "pairs", "SFT"),
                ("sft+dpo", "DPO", "pairs"),
                ("sft+dpo", "answers", "DPO"),
                ("sft+sft", "SFT continued", "DPO"),
                ("sft+sft", "answers", "SFT continued"),
            ]
        ),
    ]


def test_only_what_is_missing_is_left(tmp_path: Path, tiny_model_folder: Path) -> None:
    finished = run(tmp_path, tiny_model_folder, tmp_path / "run", sft={"epochs": 1}, arms=["base", "sft"])
    tree, prepared = tree_of(finished)
    assert remaining_steps(tree, [prepared]) == []
    more = replace(tree, study=finished.study.model_copy(update={"arms": ("base", "sft", "sft+dpo")}))
    left = [titles(one) for one in remaining_steps(more, [prepared])]
    assert left == [("pairs", None), ("DPO", "pairs"), ("answers", "DPO")]


def titles(step: Step) -> tuple[str, str | None]:
    """What the step is, and what the last of those that it needs is."""
    return step.part.stage, step.after[-1].stage if step.after else None


def test_a_step_asks_for_what_the_study_says_and_not_the_machine(
    tmp_path: Path, tiny_source: Any, tiny_tokenizer: Any
) -> None:
    server = {"url": "http://127.0.0.1:9/v1", "model": "m"}
    arms = ["base", "sft", "tfidf", "endpoint"]
    study, prepared = prepare_tiny(tmp_path, tiny_tokenizer, arms=arms, endpoint=server)
    numerics = Numerics(threads=4, processes=2)
    tree = StageTree(study, numerics, tiny_source, "hash", RunFolder(tmp_path / "run"), None)
    needs = {
        (one.part.arm, one.part.stage): needs_of(tree, one, gpus=True) for one in remaining_steps(tree, [prepared])
    }
    asked = {step: (need.cpus, need.gpus, need.here) for step, need in needs.items()}
    answers = "answers"
    assert asked == {
        ("base", answers): (4, 1, False),
        ("sft", "SFT"): (4, 2, False),
        ("sft", answers): (4, 1, False),
        ("tfidf", answers): (4, 0, False),
        ("endpoint", answers): (0, 0, True),
    }
    assert needs["sft", "SFT"].memory == 2 * needs["base", answers].memory > 2e9
    nowhere = [needs_of(tree, one, gpus=False).gpus for one in remaining_steps(tree, [prepared])]
    assert nowhere == [0] * 5


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
    tree, prepared = tree_of(finished)
    for ledger in finished.folder.glob("stages/*/ledger.json"):
        ledger.unlink()
    with run_lock(finished.folder):
        steps = remaining_steps(tree, [prepared])
        yield Begun(job_of(tree, [prepared], tmp_path), steps, tmp_path / "cases.csv")


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
    tree, prepared = tree_of(finished)  # nobody holds the folder, as it looks from where locks do not reach
    (found,) = problems_here(job_of(tree, [prepared], tmp_path))
    assert "two machines could write the same file" in found.what


def tree_of(finished: Run) -> tuple[StageTree, Any]:
    base, folder = finished.study_file.parent, RunFolder(finished.folder)
    source = model_of(finished.study, base)
    (checked,) = check_study(finished.study, base, Console(quiet=True))
    numerics = numerics_of(finished.study, folder)
    prepared = prepare(checked, finished.study, load_tokenizer(source))
    return StageTree(finished.study, numerics, source, fingerprint(source), folder, None), prepared


# Two machines never write one stage at once


def test_who_comes_second_waits_until_the_first_is_done(tmp_path: Path) -> None:
    order: list[str] = []

    def second() -> None:
        with folder_lock(tmp_path / "stage"):
            order.append("second")

    with folder_lock(tmp_path / "stage"):
        waiting = threading.Thread(target=second)
        waiting.start()
        time.sleep(0.3)
        order.append("first")
    waiting.join()
    assert order == ["first", "second"]
    assert not (tmp_path / "stage" / ".lock").exists()


def test_who_waits_too_long_is_told_what_to_end(tmp_path: Path) -> None:
    with (
        folder_lock(tmp_path / "stage"),
        pytest.raises(InputError, match="cut off"),
        folder_lock(tmp_path / "stage", 0.1),
    ):
        raise AssertionError("two are in the folder")
    with folder_lock(tmp_path / "stage"):
        pass


# What is told of an error


@pytest.mark.parametrize(
    ("error", "kind", "told"),
    [
        (InputError(Problem("here", "what", "fix")), InputError, "here: what. fix"),
        (PreceptorError("our own words"), PreceptorError, "our own words"),
        (MemoryError("case text"), OutOfMemoryError, "not enough memory"),
        (OSError(28, "No space left on device", "/runs/x"), OSError, "No space left"),
        (ValueError("case text"), UnforeseenError, "ValueError"),
    ],
)
def test_an_error_is_raised_again_without_a_word_of_a_case(error: Exception, kind: type, told: str) -> None:
    sent = pickle.dumps(without_case(error))
    assert b"case text" not in sent
    found = ray.exceptions.RayTaskError(
        "step", "traceback", pickle.loads(sent), "title", 1, "127.0.0.1"
    ).as_instanceof_cause()
    with pytest.raises(kind, match=told) as raised:
        _cause(ray_that_raises(found), None, PART, "a machine")
    assert type(raised.value) is kind
    assert getattr(raised.value, "errno", None) == getattr(error, "errno", None)


PART = Part("urgency", "sft", 0, "SFT")


def ray_that_raises(error: Exception) -> Any:
    def get(result: object) -> None:
        raise error

    return SimpleNamespace(get=get, exceptions=ray.exceptions)


def test_a_process_that_was_lost_again_and_again_costs_its_step_alone() -> None:
    cause = _cause(ray_that_raises(ray.exceptions.WorkerCrashedError()), None, PART, "a machine")
    assert cause is not None
    assert (cause.part, cause.reason.partition(" (")[0]) == (PART, "its process was lost 4 times, last on a machine")
    with pytest.raises(
        PreceptorError, match=r"urgency, SFT of sft, seed 0, on a machine: Ray could not .* goes on from"
    ):
        _cause(ray_that_raises(ray.exceptions.TaskCancelledError()), None, PART, "a machine")


def test_without_ray_the_command_says_how_to_get_it(preceptor: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    ended = preceptor.run("study", "quickstart", "--on", "ray")
    assert ended.code == 2
    assert "pip install 'ray>=" in ended.errors


@pytest.mark.parametrize("words", [["--address", "auto"], ["--on", "slurm"]])
def test_options_that_do_not_go_together_are_refused(preceptor: CommandLine, words: list[str]) -> None:
    assert preceptor.run("study", "quickstart", *words).code == 2
