"""Evaluation programs ask the held-out cases of a served arm, and measure what the study measured.

They send what they send unless told otherwise; told is where the server is and what it serves. float32, as the study.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from openai import OpenAI
from rich.console import Console
from sklearn.metrics import accuracy_score, f1_score
from transformers import AutoModelForCausalLM

from preceptor.study import held_out, make_study, open_arm, run_study
from ship.serving.process import Server
from tiny_model import build_tiny_model

pytestmark = pytest.mark.slow

NOWHERE = "http://127.0.0.1:9"
"""No program listens there: what would leave this machine goes to it instead."""

TASK = "numeric_classification"
STUDY: dict[str, Any] = {
    "name": "asked",
    "tasks": [
        {"task": TASK, "data": {"cases": 120, "seed": 3}, "limit": {"train": 40, "validation": 8, "test": 24}},
    ],
    "arms": ["base"],
    "numerics": {"threads": 1, "dtype": "float32"},
    "max_length": 1024,
}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A built-in task, asked of a model that is sure of its answers, so that rounding changes none, and often wrong."""
    folder = tmp_path_factory.mktemp("asked")
    model = AutoModelForCausalLM.from_pretrained(build_tiny_model(folder / "model"))
    with torch.no_grad():
        for weight in model.parameters():
            if weight.dim() > 1:
                weight *= 8
    model.save_pretrained(folder / "model")
    study = make_study(STUDY | {"model": str(folder / "model")}, "test")
    run_study(study, folder, folder / "run", Console(quiet=True), command="preceptor study asked")
    return folder / "run"


@pytest.fixture(scope="module")
def served(run: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("log") / "base.log", run, task=TASK, arm="base") as server:
        yield server


@pytest.fixture(scope="module")
def measured(run: Path) -> dict[str, float]:
    """The study's values on its held-out cases by metric."""
    (cell,) = json.loads((run / "results.json").read_text())["cells"]
    assert 0 < cell["also"]["accuracy"] < 1
    return {cell["metric"]: cell["value"], **cell["also"]}


@pytest.fixture(scope="module")
def cases(run: Path) -> list[dict[str, Any]]:
    """Chat turns and right label of each held-out case."""
    arm = open_arm(run, TASK, "base")
    assert len({one.answer for one in arm.predictions}) > 1
    prepared = held_out(arm)
    pairs = zip(prepared.shown, prepared.splits.test, strict=True)
    return [{"turns": arm.task.messages(shown), "label": case.target} for shown, case in pairs]


def write_cases(path: Path, cases: list[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(case) + "\n" for case in cases))


def run_program(folder: Path, module: str, *words: str, **environment: str) -> None:
    """A program in a process of its own, which reaches this machine alone and keeps its caches in `folder`."""
    if find_spec(module) is None:
        pytest.skip(f"{module} is not installed (`make test` installs it)")
    quiet = {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "HF_HUB_DISABLE_TELEMETRY": "1", "DO_NOT_TRACK": "1"}
    caches = {name: str(folder / "home") for name in ("HOME", "HF_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME")}
    proxies = {"http_proxy": NOWHERE, "https_proxy": NOWHERE, "all_proxy": NOWHERE, "no_proxy": "127.0.0.1"}
    proxies |= {name.upper(): value for name, value in proxies.items()}
    hooks = {"INSPECT_TELEMETRY": "", "INSPECT_API_KEY_OVERRIDE": ""}
    given = os.environ | quiet | caches | proxies | hooks | environment
    done = subprocess.run(
        [sys.executable, "-m", module, *words], cwd=folder, env=given, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_lm_evaluation_harness(
    served: Server, cases: list[dict[str, Any]], measured: dict[str, float], tmp_path: Path
) -> None:
    system, user = cases[0]["turns"]
    assert (system["role"], user["role"]) == ("system", "user")
    write_cases(
        tmp_path / "cases.jsonl", [{"question": one["turns"][-1]["content"], "label": one["label"]} for one in cases]
    )
    task = {
        "task": TASK,
        "dataset_path": "json",
        "dataset_kwargs": {"data_files": {"test": str(tmp_path / "cases.jsonl")}},
        "test_split": "test",
        "output_type": "generate_until",
        "description": system["content"],
        "doc_to_text": "{{question}}",
        "doc_to_target": "{{label}}",
        "metric_list": [{"metric": "exact_match", "aggregation": "mean", "higher_is_better": True}],
    }
    (tmp_path / "task.yaml").write_text(yaml.safe_dump(task))
    told = f"model={served.model},base_url={served.url}/chat/completions"
    asked = ("--model", "local-chat-completions", "--model_args", told, "--apply_chat_template")
    run_program(tmp_path, "lm_eval", "run", *asked, "--tasks", TASK, "--include_path", ".", "--output_path", "out")
    (results,) = (tmp_path / "out").rglob("results_*.json")
    assert json.loads(results.read_text())["results"][TASK]["exact_match,none"] == pytest.approx(measured["accuracy"])


INSPECT_TASK = """
from inspect_ai import Task, task
from inspect_ai.dataset import json_dataset
from inspect_ai.scorer import match
from inspect_ai.solver import generate


@task
def asked():
    return Task(dataset=json_dataset("cases.jsonl"), solver=generate(), scorer=match(location="exact"))
"""


def test_inspect(served: Server, cases: list[dict[str, Any]], measured: dict[str, float], tmp_path: Path) -> None:
    write_cases(tmp_path / "cases.jsonl", [{"input": one["turns"], "target": one["label"]} for one in cases])
    (tmp_path / "task.py").write_text(INSPECT_TASK)
    asked = ("eval", "task.py", "--model", f"openai-api/preceptor/{served.model}")
    where = {"PRECEPTOR_BASE_URL": served.url, "PRECEPTOR_API_KEY": "none"}
    run_program(tmp_path, "inspect_ai", *asked, "--log-dir", "logs", "--log-format", "json", **where)
    (log,) = (tmp_path / "logs").glob("*.json")
    found = json.loads(log.read_text())
    assert found["status"] == "success"
    assert found["results"]["completed_samples"] == len(cases)
    assert found["results"]["scores"][0]["metrics"]["accuracy"]["value"] == pytest.approx(measured["accuracy"])


def test_the_openai_package(served: Server, cases: list[dict[str, Any]], measured: dict[str, float]) -> None:
    with OpenAI(base_url=served.url, api_key="none") as client:
        asked = [client.chat.completions.create(model=served.model, messages=one["turns"]) for one in cases]
    said, gold = [one.choices[0].message.content for one in asked], [one["label"] for one in cases]
    assert accuracy_score(gold, said) == pytest.approx(measured["accuracy"])
    assert f1_score(gold, said, average="macro") == pytest.approx(measured["macro_f1"])
