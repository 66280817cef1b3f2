"""A finished run whose arms answer differently: what is exported, served and asked again."""

from pathlib import Path

import pytest
from rich.console import Console

from preceptor.study import load_study, run_study
from tiny_study import write_study, write_table


@pytest.fixture(scope="session")
def shipped_run(tmp_path_factory: pytest.TempPathFactory, tiny_model_folder: Path) -> Path:
    """`base`, `sft` and `sft+dpo` with adapters, and their data. Read it, do not change it."""
    folder = tmp_path_factory.mktemp("shipped")
    (folder / "own").mkdir()
    write_table(folder / "own" / "cases.csv", patients=120)
    file = write_study(
        folder / "own",
        tiny_model_folder,
        adapter={"rank": 8, "alpha": 16},
        sft={"epochs": 20, "patience": 20, "batch_size": 8, "learning_rate": 0.01, "label_token_weight": 1.0},
        # Chosen by its loss, it moves on every machine; by the score, no better than SFT's on some, it would be SFT.
        dpo={"epochs": 2, "batch_size": 4, "learning_rate": 0.001, "metric_for_best_model": "loss"},
    )
    study, base = load_study(str(file))
    run_study(study, base, folder / "run", Console(quiet=True), command=f"preceptor study {file}")
    return folder / "run"
