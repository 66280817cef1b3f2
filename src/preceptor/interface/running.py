"""From a study to a report: what `preceptor study` and `Study.run` do, both."""

import shlex
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from preceptor.full_disk import explain_full_disk
from preceptor.report import write_cards, write_report
from preceptor.study import Study, run_study
from preceptor.study.results.schema import Results


def run_and_report(
    study: Study,
    base_folder: Path,
    run_folder: Path,
    console: Console,
    command: str,
    ray_address: str | None = None,
) -> tuple[Results, Path]:
    """Run or continue a study as `run_study` does; write its report and model cards. Returns the results and the page.

    Raises `InputError` as `run_study` does, and on a full disk.
    """
    with explain_full_disk(run_folder):
        results = run_study(study, base_folder, run_folder, console, command, ray_address)
        page = write_report(run_folder)
        write_cards(run_folder)
    return results, page


def study_command(what: str, model: str | None, given: Sequence[str] = ()) -> str:
    """The command that runs this study, as a shell reads it; `given`: settings in place of the file's."""
    options = [*(["--model", model] if model else []), *(word for one in given for word in ("--set", one))]
    return shlex.join(["preceptor", "study", what, *options])
