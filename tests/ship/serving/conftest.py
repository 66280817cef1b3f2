"""A finished run with a task of short answers and one of long ones, and a server for each."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from openai import OpenAI
from rich.console import Console

from preceptor.study import load_study, run_study
from ship.serving.process import TOKEN, Server
from tiny_study import TASK, write_study

LONG = {
    "name": "letter",
    "answer": {"kind": "text", "parser": "text", "max_new_tokens": 400},
    "metric": "rouge_l",
    "also": [],
}
"""A task whose answers take a second, so that there is time to come in between."""


@pytest.fixture(scope="session")
def served_run(tmp_path_factory: pytest.TempPathFactory, tiny_model_folder: Path) -> Path:
    """Read it, do not change it."""
    folder = tmp_path_factory.mktemp("served")
    data = {"path": "cases.csv", "target": "urgency", "group": "patient"}
    few = {"train": 12, "validation": 4, "test": 4}
    (folder / "own").mkdir()
    (folder / "own" / "letter.task.yaml").write_text(yaml.safe_dump(TASK | LONG))
    file = write_study(
        folder / "own",
        tiny_model_folder,
        tasks=[{"task": "urgency.task.yaml", "data": data}, {"task": "letter.task.yaml", "data": data, "limit": few}],
        arms=["base", "sft"],
        adapter="none",  # learns within seconds to tell the cases apart
        sft={"epochs": 12, "patience": 12, "batch_size": 8, "learning_rate": 0.003},
        max_length=1024,
    )
    study, base = load_study(str(file))
    run_study(study, base, folder / "run", Console(quiet=True), command=f"preceptor study {file}")
    return folder / "run"


@pytest.fixture(scope="session")
def server(served_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Serves short answers to whoever asks."""
    with Server(tmp_path_factory.mktemp("log") / "short.log", served_run) as server:
        yield server


@pytest.fixture(scope="session")
def slow_server(served_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Serves long answers to those who have the token, and lets two requests wait."""
    folder = tmp_path_factory.mktemp("log")
    (folder / "token.txt").write_text(TOKEN + "\n")
    options = ["--queue", "2", "--token-file", str(folder / "token.txt")]
    with Server(folder / "long.log", served_run, *options, task="letter", arm="base", token=TOKEN) as server:
        yield server


@pytest.fixture
def client(server: Server) -> Iterator[OpenAI]:
    with OpenAI(base_url=server.url, api_key="none", max_retries=0, timeout=60) as client:
        yield client


@pytest.fixture
def slow_client(slow_server: Server) -> Iterator[OpenAI]:
    with OpenAI(base_url=slow_server.url, api_key=TOKEN, max_retries=0, timeout=60) as client:
        yield client
