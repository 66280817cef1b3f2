"""The shortest study on the real model, in both number formats, on whatever CPU this is."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from preceptor.engine import DPOSettings, EncodedPair, Numerics, answer_logprobs, run_dpo
from preceptor.files import read_jsonl
from preceptor.models import AdapterSettings, Encoded, load_policy, new_policy

pytestmark = [pytest.mark.slow, pytest.mark.model]
STUDY = Path(__file__).with_name("front_door.yaml")
COMMAND = [sys.executable, "-c", "from preceptor.cli import main; main()", "study"]
FORMATS = ("float32", "bfloat16")


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory, embedded_source: Any) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("front-door")
    found = {}
    for dtype in FORMATS:
        file = folder / f"{dtype}.yaml"
        file.write_text(yaml.safe_dump(yaml.safe_load(STUDY.read_text()) | {"numerics": {"dtype": dtype}}))
        found[dtype] = folder / dtype
        ended = subprocess.run([*COMMAND, str(file), "--output-dir", str(found[dtype])], capture_output=True, text=True)
        assert ended.returncode == 0, ended.stderr[-2000:]
    return found


def texts(run: Path, arm: str) -> list[str]:
    (file,) = run.glob(f"cells/*/*/{arm}/seed-0/predictions.jsonl")
    return [row["text"] for row in read_jsonl(file)]


@pytest.mark.parametrize("dtype", FORMATS)
def test_it_ends_well_and_dpo_begins_at_margin_0(dtype: str, runs: dict[str, Path]) -> None:
    results = json.loads((runs[dtype] / "results.json").read_text())
    assert results["failed"] == []
    assert [cell["arm"] for cell in results["cells"]] == ["base", "sft", "sft+dpo"]
    ledgers = [json.loads(path.read_text()) for path in runs[dtype].glob("stages/*/ledger.json")]
    (dpo,) = (one for one in ledgers if one["kind"] == "dpo")
    assert dpo["first_margin"] == 0.0
    assert dpo["reference_gap"] is None


def test_16_bits_move_the_untouched_models_answers_little(runs: dict[str, Path], embedded_source: Any) -> None:
    for arm in ("base", "sft", "sft+dpo"):
        a, b = (texts(runs[dtype], arm) for dtype in FORMATS)
        print(f"{arm}: {sum(x == y for x, y in zip(a, b, strict=True))} of {len(a)} answers alike in both formats")
    case = Encoded(list(range(500, 620)), list(range(900, 930)))
    with torch.no_grad():
        (wide,), (narrow,) = (
            answer_logprobs(load_policy(embedded_source, None, dtype=getattr(torch, dtype)).model, [case])
            for dtype in FORMATS
        )
    gap = float((wide - narrow).abs().max())
    print(f"log-probabilities of the untouched model are at most {gap:.3f} nats a token apart")
    assert gap < 1.0


@pytest.mark.parametrize("dtype", FORMATS)
@pytest.mark.parametrize("tokens", [1, 300])
def test_the_real_models_first_margin_is_0_to_the_bit(
    tokens: int, dtype: Any, embedded_source: Any, tmp_path: Path
) -> None:
    numerics = Numerics(dtype=dtype, threads=2)
    policy = new_policy(embedded_source, AdapterSettings(), seed=0, dtype=numerics.torch_dtype)
    prompt = list(range(1000, 1040))
    pairs = [
        EncodedPair([*prompt, 1100 + n], [2000 + n + k for k in range(tokens)], [3000 + k for k in range(tokens)])
        for n in range(2)
    ]
    pairs.append(EncodedPair(prompt, pairs[0].chosen, pairs[0].chosen))  # identical likelihood
    settings = DPOSettings(batch_size=3, epochs=1)
    stage = run_dpo(policy, pairs, [], settings, numerics, tmp_path, seed=0)
    print(f"{dtype}, answers of {tokens} tokens: first margin {stage.first_margin}")
    assert stage.first_margin == 0.0
