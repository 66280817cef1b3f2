"""One case of `benchmarks.plan` in a process of its own: planned, then done. `python -m benchmarks._planned STUDY RUN`

Prints a JSON object: what was planned and what was measured, in seconds and bytes, and how many cores each had.
"""

import argparse
import json
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
from rich.console import Console

from preceptor.engine.cost import peak_memory, start_peak_memory
from preceptor.errors import PreceptorError
from preceptor.files import private_folder
from preceptor.models import fingerprint, load_tokenizer
from preceptor.progress import progress
from preceptor.study import load_study, machine, plan_study, read_planned
from preceptor.study.cases import prepare
from preceptor.study.check import check_study
from preceptor.study.results.cells import cells_of
from preceptor.study.run.folder import RunFolder
from preceptor.study.spec.paths import model_of
from preceptor.study.stage_tree.tree import StageTree


def main() -> None:
    """Plan the study, do it, and print both."""
    parser = argparse.ArgumentParser(description="A study planned, then done.")
    parser.add_argument("study")
    parser.add_argument("run", type=Path)
    arguments = parser.parse_args()
    study, folder = load_study(arguments.study)
    plan, planning_cores, planning_seconds = _with_cores(
        lambda: plan_study(read_planned(study, folder), machine(None, None, None))
    )
    torch.set_num_threads(plan.numerics.threads)
    quiet = Console(quiet=True)
    source = model_of(study, folder)
    tokenizer = load_tokenizer(source)
    prepared = [prepare(one, study, tokenizer) for one in check_study(study, folder, quiet)]
    private_folder(arguments.run)
    show = partial(progress, console=quiet)
    tree = StageTree(study, plan.numerics, source, fingerprint(source), RunFolder(arguments.run), show)
    start_peak_memory()
    done, cores, seconds = _with_cores(lambda: [cells_of(tree, one) for one in prepared])
    if failed := [one for _, lost in done for one in lost]:
        raise PreceptorError(f"what failed was not measured: {failed[0].stage} of {failed[0].arm}: {failed[0].reason}")
    ledgers = _ledgers(arguments.run)
    print(
        json.dumps(
            {
                "planned_seconds": plan.seconds,
                "planned_bytes": plan.peak,
                "seconds": seconds,
                "bytes": max([peak_memory(), *(peak for _, _, peak in ledgers)]),  # each stage begins a new mark
                "planning_seconds": planning_seconds,
                "planning_cores": planning_cores,
                "cores": cores,
                "stages": [[need.what, need.seconds, need.peak] for need in plan.needs],
                "ledgers": ledgers,
            }
        )
    )


def _with_cores(work: Callable[[], Any]) -> tuple[Any, float, float]:
    """What `work` gives, how many cores it had on average, and its seconds."""
    wall, cpu = time.perf_counter(), time.process_time()
    out = work()
    seconds = time.perf_counter() - wall
    return out, (time.process_time() - cpu) / seconds, seconds


def _ledgers(run: Path) -> list[list[Any]]:
    read = [json.loads(file.read_text()) for file in sorted(run.glob("stages/*/ledger.json"))]
    return [[one["kind"], one["cost"]["seconds"], one["cost"]["peak_memory_bytes"]] for one in read]


if __name__ == "__main__":
    main()
