"""Provenance of results: the files and library versions they come from, and whether these files still stand."""

import importlib.metadata
import json
import platform
from pathlib import Path

from preceptor._version import __version__
from preceptor.errors import InputError, Problem
from preceptor.files import digest_file
from preceptor.study.run.folder import RunFolder
from preceptor.study.run.purge_mark import check_not_purged, check_purge_complete

_AGAIN = "Run `preceptor study` again with this folder."
_VERSIONS = ("torch", "transformers", "peft", "accelerate", "numpy", "scipy", "statsmodels", "scikit-learn")


def provenance(run: RunFolder) -> dict[str, str]:
    """SHA-256 of each file of the run folder that says what the results are results of."""
    files = [run.study, run.preflight, *sorted((run.root / "tasks").glob("*.yaml"))]
    return {file.relative_to(run.root).as_posix(): digest_file(file) for file in files if file.is_file()}


def versions() -> dict[str, str]:
    """Of Preceptor, Python and the libraries that numbers come from."""
    libraries = {name: importlib.metadata.version(name) for name in _VERSIONS}
    return {"preceptor": __version__, "python": platform.python_version()} | libraries


def check_results_current(run_folder: Path) -> None:
    """Raises `InputError` when the study, a task or the data in this folder was changed after its results were made,
    or when it is being purged.

    Results that cannot be read, or say nothing of it, are left to whoever reads them.
    """
    run = RunFolder(run_folder)
    check_purge_complete(run_folder)
    try:
        recorded = json.loads(run.results.read_text(encoding="utf-8"))["made_from"]
        before = {str(name): str(sha256) for name, sha256 in recorded.items()}
    except FileNotFoundError:
        if run.study.exists():
            check_not_purged(run_folder)
            what = "this study has not ended yet, or was changed since it did, so there are no results"
            raise InputError(Problem(str(run_folder), what, _AGAIN)) from None
        return
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return
    now = provenance(run)
    changed = sorted(name for name in before | now if before.get(name) != now.get(name))
    if changed:
        what = f"the results are older than {' and '.join(changed)}, which changed since"
        raise InputError(Problem(str(run_folder), what, _AGAIN))
