"""Studies of small nets, which `tiny_study` has none of, run in this process; and a net that is saved and loaded."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
import yaml
from rich.console import Console

from preceptor.models import ModelSource, Policy, load_policy, save_policy
from preceptor.study import load_study, run_study


def write(study: Mapping[str, Any], folder: Path, model: Path, **changes: Any) -> Path:
    """The file of the study with this model and `changes`."""
    written = {**study, "model": str(model), **changes}
    (folder / "study.yaml").write_text(yaml.safe_dump(written, sort_keys=False))
    return folder / "study.yaml"


def run(file: Path, folder: Path) -> None:
    study, base = load_study(str(file))
    run_study(study, base, folder, Console(quiet=True), command="preceptor study")


def saved_and_loaded(policy: Policy, source: ModelSource, folder: Path) -> Policy:
    """The policy, once it was written as safetensors and JSON, which other programs read, with the same weights."""
    save_policy(policy, folder)
    saved = sorted(str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file())
    assert saved == [
        "model/config.json",
        "model/model.safetensors",
        "model/tokenizer.json",
        "model/tokenizer_config.json",
        "slots/head/head.safetensors",
    ]
    loaded = load_policy(source, folder, dtype=torch.bfloat16)
    assert all(torch.equal(one, loaded.model.state_dict()[name]) for name, one in policy.model.state_dict().items())
    return loaded
