"""A study whose training is shared by two processes, on a model in four bits."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from command_line import CommandLine
from tiny_study import write_study, write_table


@pytest.mark.slow
def test_a_study_in_four_bits_is_trained_by_two_processes(
    preceptor: CommandLine, tiny_model_folder: Path, tmp_path: Path
) -> None:
    write_table(tmp_path / "cases.csv", 40)
    study = write_study(
        tmp_path, tiny_model_folder, load_in_4bit=True, numerics={"threads": 1, "dtype": "float32", "processes": 2}
    )
    run = tmp_path / "run"
    assert preceptor.run("study", study, "--output-dir", run).code == 0
    results = json.loads((run / "results.json").read_text())
    assert results["study"]["model"]["title"].endswith("(4-bit)")
    assert {cell["arm"] for cell in results["cells"]} == {"base", "sft", "sft+dpo"}
    ledgers: dict[str, Any] = {
        one["kind"]: one for one in (json.loads(path.read_text()) for path in run.glob("stages/*/ledger.json"))
    }
    losses = [row["loss"] for row in ledgers["sft"]["history"] if "loss" in row]
    assert losses[-1] < losses[0] - 0.5
    first = next(row for row in ledgers["dpo"]["history"] if "rewards/margins" in row)
    assert first["rewards/margins"] == pytest.approx(0, abs=1e-4)
    kept = yaml.safe_load((run / "study.yaml").read_text())
    assert (kept["load_in_4bit"], kept["numerics"]["processes"]) == (True, 2)
    assert not list(run.glob("stages/*/checkpoints"))

    before = sorted(run.glob("stages/*"))
    assert preceptor.run("study", study, "--output-dir", run).code == 0
    assert sorted(run.glob("stages/*")) == before, "what was made is not found again"
