"""Where the study file lay, for what is read again after the study: its data, its model, its votes."""

import json
import os
from pathlib import Path

from preceptor.files import write_atomic
from preceptor.study.run.folder import RunFolder


def write_study_folder(run: RunFolder, base_folder: Path) -> None:
    """Keep the folder that the study's paths are relative to. It is a path of this machine, and no report shows it."""
    folder = base_folder.resolve()
    told = {"relative": os.path.relpath(folder, run.root.resolve()), "absolute": str(folder)}
    write_atomic(run.study_folder, json.dumps(told, indent=2) + "\n")


def study_folders(run_folder: Path) -> tuple[Path, ...]:
    """Folders that the study's paths may begin in, likeliest first.

    As the study file lay from the run folder, for both may have been moved or copied together; where it lay; and here.
    """
    try:
        told = json.loads(RunFolder(run_folder).study_folder.read_text(encoding="utf-8"))
        known: tuple[Path, ...] = (run_folder / str(told["relative"]), Path(str(told["absolute"])))
    except (OSError, ValueError, KeyError, TypeError):  # an earlier version kept none
        known = ()
    return tuple(dict.fromkeys((*known, Path())))
