"""`preceptor verify`: check that a server serves the model that a study measured."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from preceptor.cli._say import AsJson, beside_json, print_json, say
from preceptor.errors import InputError, Problem, printable

if TYPE_CHECKING:
    from preceptor.ship import Cause, Difference, Parity

_MAX_SHOWN = 10
"""Differences shown at most."""


@dataclass(frozen=True, slots=True)
class DifferenceJson:
    """A case that differs. measured, served: labels, or with --with-text the texts; None where neither may be told.

    diverges_at: characters that both texts begin with. probability_gap: largest difference between a label's two
    probabilities, None where labels were not scored.
    """

    case: str
    measured: str | None
    served: str | None
    diverges_at: int
    probability_gap: float | None


@dataclass(frozen=True, slots=True)
class VerifyJson:
    """What `--json` prints: the figures of `Parity`, without the text of a case."""

    url: str
    model: str
    threshold: float
    passed: bool
    how: str
    total: int
    same: int
    same_texts: int
    gap: float | None
    cause: "Cause | None"
    differences: list[DifferenceJson]


def verify(
    endpoint: Annotated[
        str, typer.Argument(metavar="ENDPOINT", help="Of OpenAI's interface, such as http://127.0.0.1:8000/v1.")
    ],
    run: Annotated[Path, typer.Option(help="The folder of the finished run that measured the model.")],
    task: Annotated[str, typer.Option(help="The task it was measured on.")],
    arm: Annotated[str, typer.Option(help="The arm that is served, such as `sft`.")],
    seed: Annotated[int | None, typer.Option(help="The seed it was trained with; default: the study's first.")] = None,
    model: Annotated[str | None, typer.Option(help="The model to ask for; default: the only one served.")] = None,
    limit: Annotated[
        int | None, typer.Option(min=1, help="Ask at most so many cases, those first on which the run's arms differ.")
    ] = None,
    threshold: Annotated[
        float, typer.Option(min=0, max=1, help="Least share of answers that must be the study's; below 1 for GGUF.")
    ] = 1.0,
    allow_host: Annotated[
        str | None, typer.Option(metavar="NAME", help="Another machine that case text may be sent to.")
    ] = None,
    token_file: Annotated[Path | None, typer.Option(help="File with the token that the server asks for.")] = None,
    with_text: Annotated[bool, typer.Option("--with-text", help="Show the answers that differ: patient data.")] = False,
    as_json: AsJson = False,
) -> None:
    """Ask a served model the held-out cases again, and compare its answers with those that were measured."""
    from preceptor.ship import find_endpoint
    from preceptor.ship import verify as verified
    from preceptor.study import open_arm

    token = _token(token_file)
    opened = open_arm(run, task, arm, seed, heads=True)
    server = find_endpoint(endpoint, model=model, allow_host=allow_host, token=token)
    console, labels = beside_json(as_json), bool(opened.task.labels)
    parity = verified(server, opened, console, limit=limit, token=token)
    _print_parity(parity, console, labels=labels, with_text=with_text)
    if as_json:
        differences = [_difference(one, labels=labels, with_text=with_text) for one in parity.differences]
        print_json(
            VerifyJson(
                server.url,
                server.model,
                threshold,
                parity.passes(threshold),
                parity.how,
                parity.total,
                parity.same,
                parity.same_texts,
                parity.gap,
                parity.cause,
                differences,
            )
        )
    if not parity.passes(threshold):
        say(f"FAILED at --threshold {threshold:g}: what is served is not the model that was measured.", to=console)
        raise typer.Exit(1)
    say(f"Passed at --threshold {threshold:g}.", to=console)


def _token(file: Path | None) -> str | None:
    if file is None:
        return None
    try:
        token = file.read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        raise InputError(Problem(str(file), "no token can be read from it", "Name a readable text file.")) from None
    if not token or not token.isprintable():
        raise InputError(Problem(str(file), "it holds no token", "Put the token into it, on one line."))
    return token


def _difference(one: "Difference", *, labels: bool, with_text: bool) -> DifferenceJson:
    case = one.case
    measured, served = (one.measured, one.served) if labels else (None, None)
    if with_text:
        measured, served = case.measured, case.served
    return DifferenceJson(case.id, measured, served, case.diverges_at, case.probability_gap)


def _print_parity(parity: "Parity", console: Console, *, labels: bool, with_text: bool) -> None:
    say(f"{parity}.", to=console)
    if parity.gap is not None:
        each = "label" if parity.how == "scored labels" else "token"
        say(
            f"Log-probabilities: {parity.gap:.2g} nats a {each}, on average, from those of the measured model.",
            to=console,
        )
    if parity.differences:
        whose = "measured model" if parity.how == "text of scored labels" else "study"
        console.print(_table(parity.differences[:_MAX_SHOWN], whose, labels=labels, with_text=with_text))
        if (left := len(parity.differences) - _MAX_SHOWN) > 0:
            say(f"and {left} more", to=console)
    if parity.cause is not None:
        say(f"Likely cause: {parity.cause}", to=console)


def _table(differences: tuple["Difference", ...], whose: str, *, labels: bool, with_text: bool) -> Table:
    table = Table("case", box=None, pad_edge=False)
    if labels:
        table.add_column(whose)
        table.add_column("served")
    table.add_column("they part")
    if with_text:
        table.add_column(f"text of the {whose}")
        table.add_column("text served")
    for one in differences:
        answers = [one.measured, one.served] if labels else []
        texts = [repr(one.case.measured), repr(one.case.served)] if with_text else []
        table.add_row(*map(_plain, [one.case.id, *answers, _where(one), *texts]))
    return table


def _where(one: "Difference") -> str:
    case = one.case
    if case.same:
        return f"a label is more or less probable by {case.probability_gap or 0.0:.2f}"
    place = f"after {case.diverges_at} characters" if case.diverges_at else "at the start"
    if case.continues:
        return f"{place}: the served one goes on"
    return f"{place}: the served one ends" if case.truncated else place


def _plain(text: str) -> str:
    return escape(printable(text))
