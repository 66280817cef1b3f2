"""Two finished runs, built once; each test gets its own copy."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from run_folders import real_run, synthetic_run


@pytest.fixture(scope="session")
def _synthetic(tmp_path_factory: pytest.TempPathFactory, tiny_source: Any) -> Path:
    return synthetic_run(tmp_path_factory.mktemp("synthetic") / "run", tiny_source)


@pytest.fixture(scope="session")
def _real(tmp_path_factory: pytest.TempPathFactory, tiny_source: Any) -> Path:
    return real_run(tmp_path_factory.mktemp("real") / "run", tiny_source)


@pytest.fixture
def synthetic(_synthetic: Path, tmp_path: Path) -> Path:
    """A label task and a text task of built-in cases."""
    return shutil.copytree(_synthetic, tmp_path / "synthetic")


@pytest.fixture
def real(_real: Path, tmp_path: Path) -> Path:
    """A label task of the user's own cases, two seeds."""
    return shutil.copytree(_real, tmp_path / "real")
