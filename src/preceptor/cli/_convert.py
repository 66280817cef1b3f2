"""`preceptor convert`: convert pairs and right answers to other tools' formats."""

from pathlib import Path
from typing import Annotated

import typer

from preceptor.cli._say import refuse_options, say
from preceptor.errors import InputError, Problem, printable


def convert(
    source: Annotated[
        Path, typer.Argument(metavar="IN", help="A file of another tool, a label store (.sqlite) or a run folder.")
    ],
    target: Annotated[Path, typer.Argument(metavar="OUT", help="The file to write: .jsonl, .csv or .xlsx.")],
    from_: Annotated[str | None, typer.Option("--from", help="Format of IN; default: found out.")] = None,
    to: Annotated[str | None, typer.Option(help="Format of OUT; default: by its ending, trl for .jsonl.")] = None,
    task: Annotated[str | None, typer.Option(help="Of a run folder: the task.")] = None,
    arm: Annotated[str | None, typer.Option(help="Of a run folder: the arm whose pairs are wanted.")] = None,
    seed: Annotated[int | None, typer.Option(help="Of a run folder: the seed; default: the study's first.")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace OUT.")] = False,
    data_leaves_this_machine: Annotated[
        bool, typer.Option("--data-leaves-this-machine", help="Allow a format that is made to be uploaded.")
    ] = False,
) -> None:
    """Turn pairs and right answers into another tool's file; says what that file cannot hold."""
    from preceptor.preferences.interchange import Lost, read, write

    if source.is_dir():
        from preceptor.study import rows_of_arm

        if task is None or arm is None:
            fix = "Say --task and --arm, such as --arm sft+dpo."
            raise InputError(Problem(str(source), "of a run folder, one arm's pairs can be written", fix))
        rows, unread = rows_of_arm(source, task, arm, seed), Lost()
    else:
        refuse_options("this only goes with a run folder", "Leave it out.", task=task, arm=arm, seed=seed)
        rows, unread = read(source, from_)
    unwritten = write(rows, target, to, overwrite=overwrite, data_leaves_this_machine=data_leaves_this_machine)
    for what, lost in (("Not read", unread), ("Not held by the new file", unwritten)):
        if lost:
            say(f"{what}:")
            say(*(f"  {printable(name)}: {count} row{'s' * (count != 1)}" for name, count in lost.items()))
    say(f"Wrote {target}: patient data, readable by you only.")
