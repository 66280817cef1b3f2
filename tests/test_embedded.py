"""One study on the real embedded model."""

import json
import math
from pathlib import Path
from typing import Any

import pytest
import yaml

from command_line import CommandLine

STUDY = {
    "name": "embedded",
    "tasks": [
        {
            "task": "triage_provider",
            "data": {"cases": 60, "seed": 0},
            "limit": {"train": 16, "validation": 4, "test": 8},
        }
    ],
    "sft": {"epochs": 1, "learning_rate": 1e-3},
    "dpo": {"epochs": 1},
    "pairs": {"limit": 4},
    "numerics": {"dtype": "float32", "threads": 2},
    "max_length": 512,
}


@pytest.mark.slow
@pytest.mark.model
def test_the_embedded_model_goes_through_a_whole_study(
    tmp_path: Path, embedded_source: Any, preceptor: CommandLine
) -> None:
    file, run = tmp_path / "study.yaml", tmp_path / "run"
    file.write_text(yaml.safe_dump(STUDY))
    outcome = preceptor.run("study", file, "--output-dir", run)
    assert outcome.code == 0, outcome
    assert "The built-in cases are synthetic; no clinician has reviewed them." in outcome.shown

    results = json.loads((run / "results.json").read_text())
    assert results["study"]["model"]["title"] == "SmolLM2-135M-Instruct (dequantised from Q4_1)"
    assert [cell["arm"] for cell in results["cells"]] == ["base", "sft", "sft+dpo"]
    for cell in results["cells"]:
        assert {"task", "model", "arm", "seed", "metric", "value", "ci", "n", "invalid_rate", "cost"} <= cell.keys()
        assert cell["n"] == 8
        lines = (run / f"cells/triage_provider/{cell['model']}/{cell['arm']}/seed-0/predictions.jsonl").read_text()
        assert lines.count("\n") == 8
    assert {(one["a"], one["b"]) for one in results["contrasts"]} == {
        ("sft", "base"),
        ("sft+dpo", "base"),
        ("sft+dpo", "sft"),
        ("sft", "majority"),
        ("sft+dpo", "majority"),
    }
    assert all(one["verdict"] == "inconclusive" for one in results["contrasts"]), "8 patients decide nothing"

    ledgers = {one["kind"]: one for one in map(json.loads, (path.read_text() for path in run.glob("stages/*/*.json")))}
    losses = [step["loss"] for step in ledgers["sft"]["history"] if "loss" in step]
    assert losses[-1] < losses[0]
    first = next(step for step in ledgers["dpo"]["history"] if "loss" in step)
    assert first["rewards/margins"] == pytest.approx(0, abs=1e-3)
    assert first["loss"] >= math.log(2) - 1e-3, "the plain DPO loss at step 0, and the SFT term above it"
    assert ledgers["pairs"]["pairs"] == {"hardest_label": 4}
    assert (run / "report.html").stat().st_size > 10_000
