"""Running tiny studies in this process."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from preceptor.study import Study, load_study, run_study
from tiny_study import write_study


@dataclass(frozen=True)
class Run:
    """A finished study: where it lies and what its results.json says."""

    study: Study
    study_file: Path
    folder: Path
    results: dict[str, Any]

    def again(self, **changes: Any) -> "Run":
        """The study with other settings, run in the same folder."""
        return run(self.study_file.parent, Path(self.study.model), self.folder, **changes)

    def stages(self) -> dict[str, set[str]]:
        """Kind of stage -> the keys of the folders that are there."""
        found: dict[str, set[str]] = {"sft": set(), "pairs": set(), "dpo": set()}
        for ledger in self.folder.glob("stages/*/ledger.json"):
            found[json.loads(ledger.read_text())["kind"]].add(ledger.parent.name)
        return found


def run(folder: Path, model_folder: Path, run_folder: Path, **changes: Any) -> Run:
    """Write a tiny study with `changes` and run it."""
    file = write_study(folder, model_folder, **changes)
    study, base = load_study(str(file))
    results = run_study(study, base, run_folder, Console(quiet=True), command="preceptor study")
    return Run(study, file, run_folder, results.model_dump(mode="json"))
