"""`preceptor purge`: delete the patient data of a run."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.filesize import decimal
from rich.table import Column, Table

from preceptor.cli._say import console, say
from preceptor.errors import InputError, Problem

if TYPE_CHECKING:
    from preceptor.study import Purge

_MAX_SHOWN = 20
"""Unknown files listed at most."""


def purge(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run folder, such as runs/notes.")],
    yes: Annotated[bool, typer.Option("--yes", help="Delete without asking.")] = False,
    everything: Annotated[bool, typer.Option("--all", help="Delete the results and the whole folder, too.")] = False,
) -> None:
    """List what a run folder holds of patients, and delete it. The results stay, and the report without text."""
    from preceptor.study import open_purge

    with open_purge(run, everything=everything) as found:
        interrupted = found.before is not None and found.before["ended"] is None
        if not found.holdings and not interrupted:
            say(f"There is nothing left to delete in {run}.")
            return
        if interrupted:
            say("An earlier purge of this run was interrupted; it goes on.")
        _list(found)
        if not (yes or _confirm()):
            say("Nothing was deleted.")
            return
        found.delete()
    say("Deleted.")
    if everything:
        if run.is_symlink():  # a dangling link now
            run.unlink()
    elif (run / "results.json").exists():
        from preceptor.report import write_report

        say(f"Report, without the text of any case: {write_report(run)}")
    say(
        "A deleted file can often be brought back from the disk, and stays in backups and snapshots. Where that must "
        "not be, overwrite or destroy the disk, or the key it is encrypted with, and ask who makes the backups."
    )


def _list(found: "Purge") -> None:
    counts = (Column("files", justify="right"), Column("size", justify="right"))
    table = Table("will be deleted", *counts, box=None, pad_edge=False)
    for one in found.holdings:
        table.add_row(one.what, str(len(one.files)), decimal(one.size))
    console.print(table)
    unknown = next((one.files for one in found.holdings if one.what == "other files"), [])
    for name in unknown[:_MAX_SHOWN]:
        say(f"  other file: {name}")
    if len(unknown) > _MAX_SHOWN:
        say(f"  and {len(unknown) - _MAX_SHOWN} more")
    for name, target in found.links:
        say(f"Only a link: {name}. What it points to is not deleted: {target}")
    if found.stays:
        say(
            "What stays: the study, its tasks and design, what the check counted, the results, the report, model cards."
        )
        say("They hold no case and no id; raters' names and paths they do hold. Read them before you pass them on.")
    say("Not in this folder, so not deleted:")
    for what, where in found.elsewhere:
        say(f"  {what}: {where}")
    say("  whatever was exported, converted, compared, served or sent to a tracker's server; copies and backups")


def _confirm() -> bool:
    if not sys.stdin.isatty():
        what = "it asks before it deletes, and nobody can answer here"
        raise InputError(Problem("preceptor purge", what, "Read the list, then add --yes."))
    return typer.confirm("Delete all this for good?")
