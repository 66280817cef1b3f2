"""The run folder: where everything a study makes is kept, for one process at a time and its owner only."""

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from preceptor.engine import Tracking
from preceptor.errors import InputError, Problem
from preceptor.files import private_folder
from preceptor.study.run.purge_mark import MARK, check_not_purged
from preceptor.study.spec.study import Study

LOCK = ".lock"


@dataclass(frozen=True, slots=True)
class RunFolder:
    """Paths inside `runs/<study>/`."""

    root: Path

    @property
    def study(self) -> Path:
        """The resolved study."""
        return self.root / "study.yaml"

    @property
    def preflight(self) -> Path:
        """What was read, refused, cut, grouped and split."""
        return self.root / "preflight.json"

    @property
    def results(self) -> Path:
        """The results, for machines."""
        return self.root / "results.json"

    @property
    def study_folder(self) -> Path:
        """Where the study file lay."""
        return self.root / "study_folder.json"

    def design(self, number: int) -> Path:
        """What was fixed before the first prediction; from the second on, what was changed after one."""
        return self.root / ("design.json" if number == 1 else f"design-{number}.json")

    def task(self, name: str) -> Path:
        """The task as it was asked; its file may change later."""
        return self.root / "tasks" / f"{name}.yaml"

    def stage(self, key: str) -> Path:
        """Where the output of the stage with this key is kept."""
        return self.root / "stages" / key[:16]

    def reference(self, key: str) -> Path:
        """Where the log-probabilities of a DPO reference are kept; runs that differ in beta share them."""
        return self.root / "references" / f"{key[:16]}.json"

    @property
    def models(self) -> Path:
        """Where the models lie that the study makes from settings: what they know is of training cases."""
        return self.root / "models"

    def tracking(self, study: Study, what: str) -> Tracking | None:
        """How the study's tracker is told of a part of the study; None where the study has none."""
        return Tracking(study.report_to, self.root / "trackers", study.name, what) if study.report_to else None

    def cell(self, task: str, model: str, arm: str, seed: int) -> Path:
        """Where one arm's predictions on one task are kept."""
        return self.root / "cells" / task / model / arm / f"seed-{seed}"


@contextmanager
def open_run_folder(root: Path) -> Iterator[RunFolder]:
    """Make the run folder and hold it until the block ends. Raises `InputError` when that is not possible."""
    with run_lock(root):
        check_not_purged(root)
        for leftover in root.rglob(".*.part"):  # what a killed process was writing
            leftover.unlink() if leftover.is_file() else shutil.rmtree(leftover)
        yield RunFolder(root)


@contextmanager
def run_lock(root: Path) -> Iterator[None]:
    """Make the folder of a run, and let no other process work in it. Raises `InputError` when one does."""
    try:
        check_run_folder(root)
        private_folder(root)
        held = FileLock(root / LOCK).acquire(timeout=0)
    except Timeout as error:
        fix = "Wait until it has finished, or name another folder with --output-dir."
        raise InputError(Problem(str(root), "another process is working in this run folder", fix)) from error
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise
        what = f"the run folder cannot be made ({os.strerror(error.errno or 0).lower()})"
        fix = "Name a folder you may write to with --output-dir."
        raise InputError(Problem(str(root), what, fix)) from error
    with held:
        yield


def check_run_folder(root: Path) -> None:
    """Raises `InputError` for a folder that holds other things: that of a run is closed to others, and purged whole."""
    begun = (root / "study.yaml").exists() and (root / LOCK).exists()  # a user's own folder has no lock of ours
    if root.is_dir() and not begun and any(not _ours(one) for one in root.iterdir()):
        fix = "Name a new folder with --output-dir."
        raise InputError(Problem(str(root), "this folder holds other things than a run", fix))


def _ours(path: Path) -> bool:
    return path.name in (LOCK, MARK) or (path.name.startswith(".") and path.name.endswith(".part"))
