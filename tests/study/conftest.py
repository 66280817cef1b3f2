from pathlib import Path

import pytest

from study_runs import Run, run
from tiny_study import write_table


@pytest.fixture(scope="session")
def two_seeds(tmp_path_factory: pytest.TempPathFactory, tiny_model_folder: Path) -> Run:
    """A finished study with every arm and two seeds, in which some answers are right; to be read, not changed."""
    folder = tmp_path_factory.mktemp("two-seeds")
    write_table(folder / "cases.csv", patients=110, wrong_every=8)  # ten urgent ones are held out
    return run(
        folder,
        tiny_model_folder,
        folder / "run",
        seeds=[0, 1],
        adapter="none",
        sft={"epochs": 6, "batch_size": 8, "learning_rate": 0.003, "patience": 9},
        dpo={"epochs": 2, "batch_size": 4, "learning_rate": 0.003},
    )
