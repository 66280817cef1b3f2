"""A Ray cluster of two nodes on this machine, and the death of one of them."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import psutil

from preceptor.study.ray import require_ray


@contextmanager
def two_nodes() -> Iterator[Any]:
    """A cluster of two nodes with one processor each. Only this machine can reach it, and it reaches nobody."""
    require_ray("local")
    from ray.cluster_utils import Cluster

    silent = {"RAY_USAGE_STATS_ENABLED": "0", "http_proxy": "http://127.0.0.1:9", "no_proxy": "127.0.0.1"}
    with patch.dict(os.environ, silent):
        impatient = {"health_check_period_ms": 500, "health_check_failure_threshold": 3}
        node = {"num_cpus": 1, "include_log_monitor": False}
        head = node | {"include_dashboard": False, "no_monitor": True, "_system_config": impatient}
        cluster = Cluster(initialize_head=True, head_node_args=head)
        try:
            cluster.add_node(**node)
            yield cluster
        finally:
            cluster.shutdown()


def kill_in_a_stage(cluster: Any, run_folder: Path, *, after_step: int) -> Path:
    """Kill the second node, with no chance to clean up, in the middle of a stage that it works on; returns the stage.

    Waits until the stage has kept a checkpoint of `after_step` or a later step and is not done.
    """
    (node,) = cluster.worker_nodes
    raylet = psutil.Process(node.all_processes["raylet"][0].process.pid)
    while True:
        time.sleep(0.01)
        for stage in run_folder.glob("stages/*"):
            kept = [int(one.name.rsplit("-")[-1]) for one in stage.glob("checkpoints/checkpoint-*")]
            if max(kept, default=0) < after_step or (stage / "ledger.json").exists():
                continue
            if any(_holds(process, stage / ".lock") for process in raylet.children(recursive=True)):
                for process in (raylet, *raylet.children(recursive=True)):
                    process.kill()
                return stage


def _holds(process: psutil.Process, file: Path) -> bool:
    try:
        return any(Path(one.path) == file.resolve() for one in process.open_files())
    except psutil.Error:
        return False
