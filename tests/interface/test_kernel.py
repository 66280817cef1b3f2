"""In the kernel of a notebook, beside its running event loop: progress shows, and an interrupted run goes on."""

import json
import queue
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from jupyter_client import BlockingKernelClient, KernelManager

from tiny_study import write_study

pytestmark = pytest.mark.slow

LONG = {"epochs": 12, "batch_size": 8, "learning_rate": 0.01, "patience": 30}
DTYPE = {"threads": 1, "dtype": "float32"}
"""The number format of these tests."""


@pytest.fixture
def kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[KernelManager, BlockingKernelClient]]:
    """A kernel in a process of its own, spoken with over Unix sockets, whose paths must be short."""
    with TemporaryDirectory() as short:
        for name in ("JUPYTER_RUNTIME_DIR", "IPYTHONDIR"):
            monkeypatch.setenv(name, short)
        manager = KernelManager(kernel_name="python3", transport="ipc", ip=f"{short}/kernel")
        manager.start_kernel(cwd=str(tmp_path))
        client = manager.client()
        client.start_channels()
        try:
            client.wait_for_ready(timeout=120)
            yield manager, client
        finally:
            client.stop_channels()
            manager.shutdown_kernel(now=True)


def outputs(client: BlockingKernelClient, asked: str) -> Iterator[dict[str, Any]]:
    """What a cell puts out, as it comes, until it has ended."""
    while True:
        try:
            message = client.get_iopub_msg(timeout=300)
        except queue.Empty:
            pytest.fail("the kernel says nothing any more")
        if message["parent_header"].get("msg_id") == asked:
            if message["msg_type"] == "status" and message["content"]["execution_state"] == "idle":
                return
            yield message


def test_a_run_that_is_interrupted_goes_on_in_the_same_kernel(
    kernel: tuple[KernelManager, BlockingKernelClient], tmp_path: Path, tiny_model_folder: Path
) -> None:
    manager, client = kernel
    write_study(tmp_path, tiny_model_folder, arms=["base", "sft"], sft=LONG, numerics=DTYPE)
    asked = client.execute("import preceptor\nresults = preceptor.Study.load('study.yaml').run('run')")
    shown, errors, interrupted = "", [], False
    for message in outputs(client, asked):
        shown += text(message)
        errors += [message["content"]["ename"]] if message["msg_type"] == "error" else []
        if not interrupted and list(tmp_path.glob("run/stages/*/checkpoints/checkpoint-*")):
            manager.interrupt_kernel()
            interrupted = True
    assert interrupted, shown
    assert errors == ["KeyboardInterrupt"]
    assert "urgency: SFT" in shown, "progress shows while it trains"
    assert not (tmp_path / "run" / "results.json").exists()

    again = "results = preceptor.Study.load('study.yaml').run('run')\nprint(results.to_frame().shape)"
    shown = "".join(text(message) for message in outputs(client, client.execute(again)))
    assert "What is left of the study" in shown
    assert "(2, 16)" in shown
    undisturbed = "preceptor.Study.load('study.yaml').run('other')"
    assert not [one for one in outputs(client, client.execute(undisturbed)) if one["msg_type"] == "error"]
    assert predictions(tmp_path / "run") == predictions(tmp_path / "other")


def text(message: dict[str, Any]) -> str:
    return str(message["content"].get("text", ""))


def predictions(run: Path) -> list[str]:
    return [cell["predictions"]["sha256"] for cell in json.loads((run / "results.json").read_text())["cells"]]
