"""The same study where the CPU can do less: its numbers move by a last bit, its results do not."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tiny_study import write_study, write_table

pytestmark = pytest.mark.slow

MACHINES = {
    "as it is": {},
    "no vector instructions": {"ATEN_CPU_CAPABILITY": "default"},
    "products in another order": {"MKL_CBWR": "COMPATIBLE"},
}
RUN = """
import json, sys
from pathlib import Path
from rich.console import Console
import torch
from preceptor.engine import answer_logprobs
from preceptor.models import Encoded, find_model, load_policy, load_tokenizer
from preceptor.study import load_study, run_study
from preceptor.study.cases import check_task, prepare, read_task

study, base = load_study(sys.argv[1])
run = Path(sys.argv[2])
results = run_study(study, base, run, Console(quiet=True), command="preceptor study tiny").model_dump(mode="json")
source = find_model(study.model)
tokenizer = load_tokenizer(source)
prepared = prepare(check_task(read_task(study.tasks[0], study, base), study, tokenizer), study, tokenizer)
with torch.no_grad():
    logprobs = torch.cat(answer_logprobs(load_policy(source, None, dtype=torch.float32).model, prepared.train))
ledgers = [json.loads(path.read_text()) for path in sorted(run.glob("stages/*/ledger.json"))]
print(json.dumps({
    "logprobs": logprobs.tolist(),
    "first loss": {one["kind"]: next(row["loss"] for row in one["history"] if "loss" in row)
                   for one in ledgers if one.get("history")},
    "answers": {cell["arm"]: [json.loads(line)["text"] for line in (run / cell["predictions"]["path"]).open()]
                for cell in results["cells"]},
    "verdicts": [[one["a"], one["b"], one["verdict"]] for one in results["contrasts"]],
}))
"""


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory, tiny_model_folder: Path) -> dict[str, dict[str, Any]]:
    folder = tmp_path_factory.mktemp("machines")
    (folder / "own").mkdir()
    write_table(folder / "own" / "cases.csv", patients=160)
    study = write_study(folder / "own", tiny_model_folder)
    outcomes = {}
    for number, (name, more) in enumerate(MACHINES.items()):
        command = [sys.executable, "-c", RUN, str(study), str(folder / f"run-{number}")]
        environment = os.environ | {"XDG_DATA_HOME": str(folder / f"data-{number}")} | more
        ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert ended.returncode == 0, ended.stderr[-2000:]
        outcomes[name] = json.loads(ended.stdout.splitlines()[-1])
    return outcomes


@pytest.mark.parametrize("machine", [name for name in MACHINES if name != "as it is"])
def test_before_training_the_numbers_are_the_same_to_four_digits(
    machine: str, found: dict[str, dict[str, Any]]
) -> None:
    here, there = found["as it is"], found[machine]
    gap = max(abs(a - b) for a, b in zip(here["logprobs"], there["logprobs"], strict=True))
    print(f"{machine}: log-probabilities of the base model are at most {gap:.2g} nats apart")
    assert gap < 1e-4
    assert there["first loss"].keys() == here["first loss"].keys() == {"sft", "dpo"}
    assert there["first loss"]["sft"] == pytest.approx(here["first loss"]["sft"], abs=1e-4)


@pytest.mark.parametrize("machine", [name for name in MACHINES if name != "as it is"])
def test_after_training_the_verdicts_are_the_same(machine: str, found: dict[str, dict[str, Any]]) -> None:
    here, there = found["as it is"], found[machine]
    pairs = [
        (a, b) for arm, answers in here["answers"].items() for a, b in zip(answers, there["answers"][arm], strict=True)
    ]
    same = sum(a == b for a, b in pairs) / len(pairs)
    print(f"{machine}: {same:.1%} of {len(pairs)} answers are alike")
    assert there["verdicts"] == here["verdicts"]
    assert same > 0.8
