"""The command line: thin commands that combine the packages. Heavy imports are inside the commands."""

from preceptor.openmp import limit_spinning

limit_spinning()  # before anything imports torch

# ruff: noqa: E402 - see above
import errno
import io
import sys
from typing import Annotated

import typer
from rich.markup import escape

from preceptor._version import __version__
from preceptor.cli._check import check
from preceptor.cli._convert import convert
from preceptor.cli._docs import docs
from preceptor.cli._examples import examples
from preceptor.cli._export import export
from preceptor.cli._judge import judge
from preceptor.cli._label import label
from preceptor.cli._lists import models, tasks
from preceptor.cli._new import new
from preceptor.cli._plan import plan
from preceptor.cli._purge import purge
from preceptor.cli._say import console, errors
from preceptor.cli._schema import schema
from preceptor.cli._serve import serve
from preceptor.cli._signals import sigterm_interrupts
from preceptor.cli._study import compare, report, study
from preceptor.cli._verify import verify
from preceptor.errors import InputError, PreceptorError, Problem

_EXIT_CODES = """\
Exit codes:
  0  done
  1  a fault of ours; of [bold]verify[/bold] and [bold]export[/bold] also: not the measured model
  2  put right what you gave; the message says where, what and how
  3  of [bold]study[/bold]: done, but for arms that failed; run it again to try those
130  stopped with Ctrl-C, 143 by SIGTERM; run it again: [bold]study[/bold] goes on"""
"""Each on a line of an 80-column terminal."""

app = typer.Typer(
    name="preceptor",
    help="Teach a language model clinical work by example and by preference, and measure which was worth it.",
    epilog=_EXIT_CODES,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
_INTERRUPTED = 130
"""Exit code after Ctrl-C: 128 plus the signal's number, as shells expect."""
_TERMINATED = 143
"""The same after SIGTERM."""

_NOT_OURS = {
    errno.ENAMETOOLONG: ("this name is too long for a file or a folder", "Give it a shorter one."),
    errno.EACCES: ("you may not read or write this", "Give yourself the right to, or name another."),
}
"""What the system refuses that is not a fault of ours: what it is, and what to do."""

# In the order of a workflow, which the help shows.
_COMMANDS = (
    new,
    check,
    plan,
    study,
    report,
    compare,
    judge,
    label,
    convert,
    export,
    serve,
    verify,
    purge,
    tasks,
    examples,
    models,
    schema,
    docs,
)
for _command in _COMMANDS:
    app.command()(_command)


_BEGIN_ANEW = (new, check, plan, report, compare, judge, convert, export)
"""Of these nothing is kept when they are stopped."""


def _version(requested: bool) -> None:
    if requested:
        console.print(__version__)
        raise typer.Exit


@app.callback()
def _main(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")] = (
        False
    ),
) -> None:
    pass


def main() -> None:
    """Run a command. Exit codes: 2 for invalid input, 1 for internal errors, 130 for Ctrl-C, 143 for SIGTERM."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # replace characters that the terminal's encoding lacks
    with sigterm_interrupts() as terminated:
        try:
            app()
        except PreceptorError as error:
            errors.print(f"[red]error[/red] {escape(str(error))}", highlight=False, soft_wrap=True)
            sys.exit(error.exit_code)
        except OSError as error:
            if (refused := _NOT_OURS.get(error.errno or 0)) is None:
                raise
            named = Problem(str(error.filename), *refused)
            errors.print(f"[red]error[/red] {escape(str(named))}", highlight=False, soft_wrap=True)
            sys.exit(InputError.exit_code)
        except SystemExit as end:
            if end.code == _INTERRUPTED or (terminated and end.code):  # an interrupted prompt exits with 1
                anew = sys.argv[1:2] in [[command.__name__] for command in _BEGIN_ANEW]
                errors.print("stopped; the same command " + ("begins anew" if anew else "continues from here"))
                sys.exit(_TERMINATED if terminated else _INTERRUPTED)
            raise
