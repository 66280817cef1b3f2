import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
import torch

import parallel_work as work
from preceptor.engine import Numerics, Stage, run_dpo, run_sft, tune
from preceptor.engine.parallel.processes import in_processes
from preceptor.errors import InputError, OutOfMemoryError, PreceptorError, UnforeseenError
from preceptor.models import ModelSource, Policy, load_policy
from preceptor.progress import quiet

ONE, TWO = Numerics(threads=1), Numerics(threads=1, processes=2)
CASES = ["sft", "dpo", "every weight, sft", "every weight, dpo", "4 bits, sft", "4 bits, dpo", "dpo by score", "labels"]

Tuned = dict[str, tuple[Stage, Path]]


def start_of(case: str, source: ModelSource) -> partial[Policy]:
    if "4 bits" in case:
        return partial(work.start, source.in_4bit())
    return partial(work.start, source, None if "every weight" in case else work.ADAPTER)


def run_of(case: str) -> Callable[[Path, Numerics], object]:
    if "score" in case:
        return work.dpo_by_score
    if case == "labels":
        return work.labels
    return work.dpo if "dpo" in case else work.sft


@pytest.fixture(scope="module")
def by_two(tiny_source: ModelSource, tmp_path_factory: pytest.TempPathFactory) -> Tuned:
    root = tmp_path_factory.mktemp("two")
    jobs = [(start_of(case, tiny_source), run_of(case)(root / case, TWO), root / case) for case in CASES]
    stages = in_processes(partial(work.all_in_turn, jobs, TWO), TWO, quiet)
    return {case: (stage, root / case) for case, stage in zip(CASES, stages, strict=True)}


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_two_processes_give_the_curve_and_the_weights_of_one(
    case: str, by_two: Tuned, tiny_source: ModelSource, tmp_path: Path
) -> None:
    alone = tune(start_of(case, tiny_source), run_of(case)(tmp_path, ONE), tmp_path, ONE, quiet)
    together, folder = by_two[case]
    assert len(alone.history) == len(together.history) > 8
    for a, b in zip(alone.history, together.history, strict=True):
        assert a.keys() == b.keys()
        for name in {"loss", "grad_norm", "rewards/margins", "rewards/accuracies", "label_nll"} & a.keys() | {
            name for name in a if name.startswith("eval_") and name != "eval_rewards/accuracies"
        }:
            if (a["step"], name) != (
                1,
                "rewards/accuracies",
            ):  # before the first step margins are 0, on either side of it
                assert b[name] == pytest.approx(a[name], rel=1e-4, abs=1e-4), name
    assert (alone.cost.tokens_seen, alone.cost.optimizer_steps) == (
        together.cost.tokens_seen,
        together.cost.optimizer_steps,
    )
    assert alone.reference_accuracy == together.reference_accuracy
    source = tiny_source.in_4bit() if "4 bits" in case else tiny_source
    kept, expected = (load_policy(source, one, dtype=torch.float32).model.state_dict() for one in (folder, tmp_path))
    assert kept.keys() == expected.keys()
    for name, weight in expected.items():
        torch.testing.assert_close(
            kept[name], weight, atol=1e-4, rtol=1e-4, equal_nan=True
        )  # packed weights read as any


@pytest.mark.slow
def test_a_killed_process_ends_the_stage_which_goes_on_from_its_checkpoint(
    by_two: Tuned, tiny_source: ModelSource, tmp_path: Path
) -> None:
    steps: list[float] = []

    def kill_after_a_checkpoint(units: float = 1, /) -> None:
        steps.append(units)
        if len(steps) == 5:
            second = max(multiprocessing.active_children(), key=lambda one: int(one.name.rsplit("-")[1]))
            os.kill(second.pid or 0, signal.SIGKILL)

    job = (start_of("sft", tiny_source), work.sft(tmp_path, TWO), tmp_path, TWO)
    with pytest.raises(PreceptorError, match=r"process 2 of the 2 .* was killed.* goes on from the last checkpoint"):
        tune(*job, kill_after_a_checkpoint)
    assert not multiprocessing.active_children()
    assert list((tmp_path / "checkpoints").glob("checkpoint-*"))
    assert not (tmp_path / "adapter").exists()

    steps.clear()
    stage = tune(*job, steps.append)
    assert steps[0] == 3, "it began anew"
    undisturbed, folder = by_two["sft"]
    assert [row.get("loss") for row in stage.history] == [row.get("loss") for row in undisturbed.history]
    assert stage.cost.tokens_computed == undisturbed.cost.tokens_computed
    name = "adapter/adapter_model.safetensors"
    assert (tmp_path / name).read_bytes() == (folder / name).read_bytes()


@pytest.mark.slow
def test_when_the_command_is_killed_its_processes_end(tiny_model_folder: Path, tmp_path: Path) -> None:
    command = [sys.executable, work.__file__, str(tiny_model_folder), str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        numbers = [int(number) for number in parent.stdout.readline().split()]
        parent.kill()
    assert len(numbers) == 2
    ends = time.monotonic() + 30
    while any(works(number) for number in numbers):
        assert time.monotonic() < ends, "they work on without anybody"
        time.sleep(0.1)


def works(number: int) -> bool:
    """Whether the process lives, as more than an entry that nobody has fetched yet."""
    try:
        state = Path(f"/proc/{number}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


@pytest.mark.slow
def test_what_one_process_finds_wrong_is_said_and_nobody_waits() -> None:
    with pytest.raises(InputError, match="sequence 3: it has no prompt") as raised:
        in_processes(work.one_refuses, TWO, quiet)
    assert len(raised.value.problems) == 1
    assert not multiprocessing.active_children()


@pytest.mark.slow
def test_a_fault_of_ours_and_too_little_memory_in_one_process_are_told_apart_without_their_words() -> None:
    with pytest.raises(UnforeseenError, match=r"^TypeError < one_has_a_fault \(parallel_work\.py:\d+\) < "):
        in_processes(work.one_has_a_fault, TWO, quiet)
    with pytest.raises(OutOfMemoryError, match=r"^there is not enough memory$"):
        in_processes(work.one_lacks_memory, TWO, quiet)
    assert not multiprocessing.active_children()


@pytest.mark.slow
def test_a_process_that_has_done_its_work_cannot_fail_while_it_ends() -> None:
    assert in_processes(work.ends_badly, TWO, quiet) == 0
    assert not multiprocessing.active_children()


def test_a_model_that_is_whole_is_not_trained_as_one_of_two(tiny_source: ModelSource, tmp_path: Path) -> None:
    policy = work.start(tiny_source)
    with pytest.raises(PreceptorError, match="2 processes were asked for and 1 came"):
        run_sft(policy, work.EXAMPLES, work.EXAMPLES, work.SFT, TWO, tmp_path, seed=0)
    with pytest.raises(PreceptorError, match="2 processes were asked for and 1 came"):
        run_dpo(policy, work.PAIRS, work.PAIRS, work.DPO, TWO, tmp_path, seed=0)


def test_one_process_is_no_part_of_a_key_and_two_are() -> None:
    assert "processes" not in Numerics().model_dump()
    assert Numerics(processes=2).model_dump()["processes"] == 2
