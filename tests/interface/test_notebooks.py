"""The notebooks of examples/ run from top to bottom, and what is kept in them was made so and names no machine."""

import re
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import nbformat
import pytest
from jupyter_client import AsyncKernelManager
from nbclient import NotebookClient

EXAMPLES = Path(__file__).parents[2] / "examples"
NOTEBOOKS = sorted(EXAMPLES.glob("*.ipynb"))
_MACHINE = re.compile(r"/(home|root|tmp|work|usr|opt|Users)/|site-packages|\d+\.\d+\.\d+\.\d+")


def read(file: Path) -> Any:
    return nbformat.read(file, as_version=4)


def words_of(cell: Any) -> str:
    """All that a cell put out, as text."""
    data = [value for output in cell.outputs for value in output.get("data", {}).values()]
    return "\n".join([*(output.get("text", "") for output in cell.outputs), *map(str, data)])


def test_there_are_notebooks() -> None:
    assert NOTEBOOKS


@pytest.mark.parametrize("file", NOTEBOOKS, ids=lambda file: file.stem)
def test_what_is_kept_was_made_by_running_it(file: Path) -> None:
    notebook = read(file)
    nbformat.validate(notebook)
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    assert not [output for cell in cells for output in cell.outputs if output.output_type == "error"]
    assert not [output for cell in cells for output in cell.outputs if output.get("name") == "stderr"]
    assert [found[0] for cell in cells if (found := _MACHINE.search(words_of(cell)))] == []


@pytest.mark.slow
@pytest.mark.parametrize("file", NOTEBOOKS, ids=lambda file: file.stem)
def test_it_runs_in_a_fresh_process(
    file: Path, tmp_path: Path, tiny_model_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On the tiny model, in its own number format."""
    monkeypatch.setenv("PRECEPTOR_MODEL", str(tiny_model_folder))
    kept, notebook = read(file), read(shutil.copy(file, tmp_path))
    with TemporaryDirectory() as short:  # paths of Unix sockets must be
        for name in ("JUPYTER_RUNTIME_DIR", "IPYTHONDIR"):
            monkeypatch.setenv(name, short)
        kernel = AsyncKernelManager(kernel_name="python3", transport="ipc", ip=f"{short}/kernel")
        NotebookClient(notebook, km=kernel, timeout=600, resources={"metadata": {"path": str(tmp_path)}}).execute()
    for before, now in zip(kept.cells, notebook.cells, strict=True):
        if before.cell_type == "code":
            assert bool(words_of(before)) == bool(words_of(now)), before.source
