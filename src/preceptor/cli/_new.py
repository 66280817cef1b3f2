"""`preceptor new`: a task file and a study file for the user's table."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from preceptor.cli._say import say
from preceptor.errors import InputError


def new(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Your table: JSONL, CSV, XLSX or Parquet.")],
    text: Annotated[list[str] | None, typer.Option(help="Column the model reads; repeat for several.")] = None,
    target: Annotated[str | None, typer.Option(help="Column of right answers.")] = None,
    group: Annotated[str | None, typer.Option(help="Column of the patient, or 'each row': each is another.")] = None,
    date: Annotated[str | None, typer.Option(help="Column with the date; the model does not read it.")] = None,
    name: Annotated[str | None, typer.Option(help="Name of the two files; default: the table's.")] = None,
    output_dir: Annotated[Path, typer.Option(help="Where to write them.")] = Path(),
    overwrite: Annotated[bool, typer.Option(help="Replace files of an earlier time.")] = False,
) -> None:
    """Write a task file and a study file for a table of your own. Asks for what no option says."""
    from preceptor._new import NewStudy, write_new
    from preceptor.data import EACH_ROW, has_header, inspect_table, missing_header, read_table

    table = read_table(file)
    if not has_header(table):  # prompts would quote a case
        raise InputError(missing_header(table))
    guess = inspect_table(table)
    if not text:
        text = _ask("Which columns does the model read (comma between)?", ",".join(guess.text)).split(",")
    target = target or _ask("Which column holds the right answer?", guess.label or "")
    group = group or _ask(f"Which column is the patient ('{EACH_ROW}': every row is another)?", guess.patient or "")
    date = date or _ask("Which column is the date, which the model does not read ('none')?", guess.date or "none")
    date = None if date == "none" else date
    files = write_new(
        table,
        output_dir,
        name or file.stem,
        NewStudy([column.strip() for column in text if column.strip()], target, group or None, date),
        overwrite=overwrite,
    )
    chosen = {"text": ", ".join(text), "target": f"{target} ({files.answers})", "group": group, "date, not read": date}
    for what, column in chosen.items():
        say(f"{what}: {column or 'none'}")
    say(f"Wrote {files.task} and {files.study}. Read them, then:")
    say(f"  preceptor check {files.study}\n  preceptor study {files.study}")


def _ask(question: str, guess: str) -> str:
    """The user's answer, or the guess without a terminal."""
    return str(typer.prompt(question, default=guess or None)) if sys.stdin.isatty() else guess
