"""The built-in model, tuned for a moment, taken out in every form."""

import io
from pathlib import Path
from typing import Any

import pytest
import torch
from gguf import GGUFReader
from rich.console import Console
from transformers import AutoModelForCausalLM

from preceptor.files import digest
from preceptor.models import EMBEDDED
from preceptor.ship import export
from preceptor.study import ArmOfRun, held_out, load_study, open_arm, run_study
from run_folders import forget_form
from tiny_study import write_study

pytestmark = [pytest.mark.model, pytest.mark.slow]
QUIET = Console(file=io.StringIO())
PUBLISHED = "cb45146d0feeae3297899f504f4966fe9eee2385280a4f775c4fc6e17edd0d98"
"""Rule, tokens, their kinds and the merges in the GGUF file from which the built-in model is made."""
F16_APART = 0.01
"""How far float16 may move a logit, as a share of the largest."""


@pytest.fixture(scope="module")
def arm(tmp_path_factory: pytest.TempPathFactory, embedded_source: Any) -> ArmOfRun:
    folder = tmp_path_factory.mktemp("real")
    data = {"path": "cases.csv", "target": "urgency", "group": "patient"}
    entry = {"task": "urgency.task.yaml", "data": data, "limit": {"train": 24, "validation": 4, "test": 8}}
    sft = {"epochs": 2, "batch_size": 8, "learning_rate": 0.001}
    changes: dict[str, Any] = {"arms": ["base", "sft"], "sft": sft, "primary": [["sft", "base"]], "tasks": [entry]}
    file = write_study(folder / "own", Path(EMBEDDED), **changes)
    study, base = load_study(str(file))
    run_study(study, base, folder / "run", QUIET, command=f"preceptor study {file}")
    sft_arm = open_arm(folder / "run", "urgency", "sft")
    forget_form(sft_arm)
    return sft_arm


def test_tuning_changed_answers(arm: ArmOfRun) -> None:
    base = open_arm(arm.root, "urgency", "base")
    assert [one.text for one in arm.predictions] != [one.text for one in base.predictions]


def test_the_built_in_model_answers_as_measured_in_every_form(arm: ArmOfRun, tmp_path: Path) -> None:
    forms: list[tuple[Any, Any]] = [("adapter", None), ("merged", None), ("gguf", "f32"), ("gguf", "f16")]
    for to, stored in forms:
        done = export(arm, to, tmp_path / f"{to}-{stored}", gguf_type=stored, console=QUIET)
        assert done.parity is not None
        assert done.parity.same == done.parity.same_texts == done.parity.total == 8
        assert done.parity.gap is not None
        assert done.parity.gap < (1e-2 if stored == "f16" else 1e-4)
    ids = torch.tensor([held_out(arm).test[0]])
    where: dict[str, Any] = {"gguf_file": "model.gguf", "dtype": torch.float32}
    with torch.no_grad():
        merged = AutoModelForCausalLM.from_pretrained(tmp_path / "merged-None")(ids).logits
        f32, f16 = (
            AutoModelForCausalLM.from_pretrained(tmp_path / f"gguf-{stored}", **where)(ids).logits
            for stored in ("f32", "f16")
        )
    assert torch.equal(f32, merged)
    apart = ((f16 - merged).abs().max() / merged.abs().max()).item()
    print(f"float16 moves the logits by up to {apart:.2g} of the largest")
    assert 0 < apart < F16_APART
    fields = GGUFReader(tmp_path / "gguf-f16" / "model.gguf").fields
    kept = [fields[f"tokenizer.ggml.{key}"].contents() for key in ("pre", "tokens", "token_type", "merges")]
    assert digest(kept) == PUBLISHED
