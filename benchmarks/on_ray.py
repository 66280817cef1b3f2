"""Does a cluster change an answer? `python -m benchmarks.on_ray [--cases N] [--tasks T ...] [--json]`

The built-in study with a few cases of each task, all its arms and one thread, three times: by one process, on a Ray
cluster of two nodes, and on one whose second node is killed in the middle of its first long stage. In a row, `ours` is
how many of the files of held-out answers are, byte for byte, those of the one process; `peer`, how many there are.
Seconds are told and not compared: on one machine, two nodes share its processors.
"""

import argparse
import json
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmarks._two_nodes import kill_in_a_stage, two_nodes
from preceptor.models import fetch_embedded
from preceptor.study import Study, load_study, make_study, run_study

VALIDATION, TEST, PAIRS = 8, 8, 8
"""Cases of each task, beside those to train on, and how many of these get pairs."""


@dataclass(frozen=True)
class Row:
    """One way to run the study; `holds` says whether every file of answers is that of the one process."""

    what: str
    case: str
    ours: int
    peer: int
    unit: str
    seconds: float
    holds: bool
    ratio: None = None
    bound: None = None


def main() -> None:
    """Run, compare and print; exit code 1 when an answer differs."""
    parser = argparse.ArgumentParser(description="The built-in study with and without a cluster.")
    parser.add_argument("--cases", type=int, default=16, help="training cases of each task")
    parser.add_argument("--tasks", nargs="+", help="some of the study's tasks; default: all")
    parser.add_argument("--json", action="store_true")
    told = parser.parse_args()
    fetch_embedded(console=Console(stderr=True))
    study, base = load_study("five-tasks")
    with tempfile.TemporaryDirectory() as folder:
        rows = measure(smaller(study, told.cases, told.tasks), base, Path(folder))
    print(json.dumps([asdict(row) for row in rows], indent=2) if told.json else _table(rows))
    sys.exit(not all(row.holds for row in rows))


def smaller(study: Study, cases: int, tasks: Sequence[str] | None) -> Study:
    """The study with few cases of some of its tasks, and one thread."""
    settings = study.model_dump(mode="json")
    limit = {"train": cases, "validation": VALIDATION, "test": TEST}
    chosen = [one | {"limit": limit} for one in settings["tasks"] if tasks is None or one["task"] in tasks]
    numerics = settings["numerics"] | {"threads": 1}
    return make_study(
        settings | {"tasks": chosen, "numerics": numerics, "pairs": {"limit": PAIRS}}, "benchmarks.on_ray"
    )


def measure(study: Study, base: Path, folder: Path) -> list[Row]:
    """The study by one process, then on two nodes, then on two of which one dies."""
    alone = _run(study, base, folder / "alone", None)
    files = _answers(folder / "alone")
    case = f"{len(study.tasks)} tasks of {study.tasks[0].limit['train']} training cases, {len(study.arms)} arms"
    rows = [Row("one process", case, len(files), len(files), "files", alone, bool(files))]
    for what, dies in (("two nodes", False), ("two nodes, one killed in a stage", True)):
        run = folder / what
        with two_nodes() as cluster:
            killed = _kill_later(cluster, run) if dies else []
            seconds = _run(study, base, run, cluster.address)
        found = _answers(run)
        same = sum(found.get(name) == text for name, text in files.items())
        holds = same == len(files) == len(found) and len(killed) == int(dies)
        rows.append(Row(what, case, same, len(files), "files", seconds, holds))
    return rows


def _run(study: Study, base: Path, folder: Path, address: str | None) -> float:
    started = time.perf_counter()
    run_study(study, base, folder, Console(stderr=True), "python -m benchmarks.on_ray", ray_address=address)
    return time.perf_counter() - started


def _kill_later(cluster: Any, run: Path) -> list[Path]:
    """The stage in whose middle the second node was killed, once it was."""
    killed: list[Path] = []
    work = partial(kill_in_a_stage, cluster, run, after_step=1)
    threading.Thread(target=lambda: killed.append(work()), daemon=True).start()
    return killed


def _answers(folder: Path) -> dict[str, bytes]:
    files = folder.glob("cells/**/predictions.jsonl")
    return {file.relative_to(folder).as_posix(): file.read_bytes() for file in files}


def _table(rows: Sequence[Row]) -> str:
    lines = [f"{'what':34}{'case':52}{'the same':>14}{'seconds':>9}  holds"]
    for row in rows:
        same = f"{row.ours} of {row.peer} {row.unit}"
        lines.append(f"{row.what:34}{row.case:52}{same:>14}{row.seconds:>9.0f}  {'yes' if row.holds else 'NO'}")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
