"""What README.md and docs/PYTHON.md show of Python runs as it stands, one block after the other."""

import csv
import random
import shutil
from pathlib import Path
from typing import Any

import pytest

from docs_commands import ROOT, blocks
from preceptor.models import EMBEDDED, EMBEDDED_MODELS

SAID = {"never": "Has never smoked", "former": "Stopped smoking in 2019", "current": "Smokes ten a day"}


def write_notes(path: Path) -> None:
    """A table as README.md has it; some labels are wrong, so that a model stays in doubt."""
    rng = random.Random(0)
    with path.open("w", encoding="utf-8", newline="") as file:
        out = csv.writer(file)
        out.writerow(["patient_id", "visit_date", "note", "smoking"])
        for n in range(96):
            label = list(SAID)[n % 3]
            out.writerow([f"P{n % 84:03}", f"2024-05-{n % 28 + 1:02}", f"{SAID[label]}.", rng.choice([label, *SAID])])


@pytest.mark.slow
@pytest.mark.parametrize("page", ["README.md", "docs/PYTHON.md"])
def test_the_blocks_of_a_page_run(
    page: str, tmp_path: Path, tiny_model_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a cache whose embedded model is the tiny one."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    EMBEDDED_MODELS[EMBEDDED].location.parent.mkdir(parents=True)
    shutil.copytree(tiny_model_folder, EMBEDDED_MODELS[EMBEDDED].location)
    monkeypatch.chdir(tmp_path)
    write_notes(tmp_path / "notes.csv")
    said: dict[str, Any] = {}
    shown = [block for block in blocks(ROOT / page) if block.language == "python" and "preceptor." in block.text]
    assert shown
    for block in shown:
        exec(compile(block.text, block.where, "exec"), said)
    assert said["results"].to_frame()["arm"].tolist() == ["base", "sft", "tfidf"]
    assert (tmp_path / "runs" / "smoking" / "report.html").is_file()
