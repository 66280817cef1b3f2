"""`preceptor study`, `report` and `compare`: from a study file to its results."""

from pathlib import Path
from typing import Annotated

import typer

from preceptor.cli._completion import studies
from preceptor.cli._say import AsJson, Given, beside_json, console, print_json, say
from preceptor.errors import InputError, Problem

_EXIT_FAILED_CELLS = 3
"""Exit code of `study` when some cells failed and all others finished."""


def study(
    what: Annotated[
        str,
        typer.Argument(
            metavar="STUDY",
            help="A study file, `quickstart`, `five-tasks`, `abbreviations`, `long_notes`, `medication` or "
            "`specialty`.",
            autocompletion=studies,
        ),
    ] = "quickstart",
    model: Annotated[str | None, typer.Option(help="Model in place of the study's; a folder, hub id or name.")] = None,
    output_dir: Annotated[
        Path | None, typer.Option(help="The run folder; default: runs/<name>, here; with --model runs/<name>-<model>.")
    ] = None,
    on: Annotated[
        str | None, typer.Option(metavar="ray", help="Let a Ray cluster do the work; default: this process does.")
    ] = None,
    address: Annotated[
        str | None, typer.Option(help="With --on ray: HOST:PORT of its head, or auto; default: Ray on this machine.")
    ] = None,
    given: Given = None,
) -> None:
    """Train and compare the study's arms on the same held-out patients. Continues where it was stopped.

    Exit code 3: some arms failed and are listed; all others are finished, and the same command tries those again.
    """
    from preceptor.interface import run_and_report, study_command
    from preceptor.report import show_results
    from preceptor.study import load_study, usual_run_folder, with_model

    ray_address = _ray_address(on, address)
    loaded, folder = load_study(what, given or ())
    loaded = with_model(loaded, model)
    run_folder = output_dir or usual_run_folder(loaded, model)
    command = f"{study_command(what, model, given or ())}{' --on ray' if on else ''}"
    results, report = run_and_report(loaded, folder, run_folder, console, command, ray_address)
    show_results(results, console)
    say(f"\nReport: {report}")
    if results.failed or any(one.failed for one in results.outcomes):
        raise typer.Exit(_EXIT_FAILED_CELLS)


def _ray_address(on: str | None, address: str | None) -> str | None:
    """The Ray address from the two options; None without Ray."""
    if on is None and address is not None:
        raise InputError(Problem("--address", "this only goes with --on ray", "Say --on ray, or leave it out."))
    if on is None:
        return None
    if on != "ray":
        raise InputError(Problem(f"--on {on}", "there is no such place", "Say --on ray, or leave it out."))
    return address or "local"


def report(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run folder, such as runs/quickstart.")],
    with_text: Annotated[bool, typer.Option("--with-text", help="Show case text and every count: patient data.")] = (
        False
    ),
) -> None:
    """Build a finished run's report.html again."""
    from preceptor.report import write_report
    from preceptor.study import check_not_purged, check_results_current

    check_results_current(run)
    if with_text:
        check_not_purged(run)
    say(f"Report: {write_report(run, with_text=with_text)}")


def compare(
    a: Annotated[Path, typer.Argument(metavar="RUN", help="A run folder.")],
    b: Annotated[Path, typer.Argument(metavar="RUN", help="Another, with a task of the first.")],
    output: Annotated[Path, typer.Option(help="The page to write.")] = Path("comparison.html"),
    as_json: AsJson = False,
) -> None:
    """Put two finished runs side by side on one page."""
    from preceptor.report import comparison_figures, write_comparison
    from preceptor.study import check_results_current

    if output.suffix not in (".html", ".htm"):
        raise InputError(Problem("--output", f"{output} is no name of a page", "Name a file that ends in .html"))
    for run in (a, b):
        check_results_current(run)
    say(f"Comparison: {write_comparison(a, b, output)}", to=beside_json(as_json))
    if as_json:
        print_json(comparison_figures(a, b))
