"""`preceptor serve`: serve a model of a run over HTTP."""

import ipaddress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from preceptor.cli._say import console, say
from preceptor.errors import InputError, PreceptorError, Problem

if TYPE_CHECKING:
    from preceptor.ship.serving import Served
    from preceptor.study import ArmOfRun
    from preceptor.web.door import Listener


def serve(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="The folder of a finished run, such as runs/quickstart.")],
    task: Annotated[str, typer.Option(help="The task whose model is served.")],
    arm: Annotated[str, typer.Option(help="The arm that is served, such as `sft`.")],
    seed: Annotated[int | None, typer.Option(help="The seed it was trained with; default: the study's first.")] = None,
    host: Annotated[str, typer.Option(help="Name of this machine for others to reach it; needs TLS.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0: any that is free.")] = 8000,
    certificate: Annotated[Path | None, typer.Option(help="PEM file of a certificate for --host.")] = None,
    key: Annotated[Path | None, typer.Option(help="PEM file of its key.")] = None,
    token_file: Annotated[
        Path | None, typer.Option(help="File with the token clients must bring; default: $PRECEPTOR_TOKEN, or none.")
    ] = None,
    queue: Annotated[int, typer.Option(min=1, help="So many requests may wait; more are turned away.")] = 64,
    threshold: Annotated[
        float, typer.Option(min=0, max=1, help="Least share of held-out answers that must be the study's, to start.")
    ] = 1.0,
) -> None:
    """Answer as an arm of a study did, to any program that speaks OpenAI's chat completions."""
    from preceptor.web.door import require_packages

    require_packages("serve")
    from preceptor.ship import serving
    from preceptor.study import open_arm

    token = serving.read_token(token_file)
    opened = open_arm(run, task, arm, seed, heads=True)
    door = _door(host, port, certificate, key)
    if token is None and not ipaddress.ip_address(door.socket.getsockname()[0]).is_loopback:
        what = "whoever reaches this machine could ask the model"
        raise InputError(Problem("--host", what, "Give --token-file, a file with a token that clients bring"))
    served = serving.load(opened, capacity=queue)
    _check(opened, served, threshold)
    shown = None if token is None else f"$(cat '{token_file}')" if token_file else "$PRECEPTOR_TOKEN"
    lines = [
        f"Serving {served.name} at {door.url}/v1",
        f"  {serving.curl_line(served, door, shown)}",
        "Ctrl-C ends it.",
    ]
    serving.serve(served, door, token=token, ready=lambda: say(*lines))


def _door(host: str, port: int, certificate: Path | None, key: Path | None) -> "Listener":
    from preceptor.web.door import open_door
    from preceptor.web.tls import Tls

    if (certificate is None) != (key is None):
        raise InputError(Problem("--certificate, --key", "one of the two is missing", "Give both, or none"))
    return open_door(host, port, Tls(certificate, key) if certificate and key else None)


def _check(arm: "ArmOfRun", served: "Served", threshold: float) -> None:
    """Run the parity check. Raises `PreceptorError` when it fails."""
    from preceptor.ship import short_check
    from preceptor.ship.serving import answerer

    parity = short_check(arm, answerer(served), console)
    if parity is None:  # the held-out cases are not on this machine, as reported
        return
    say(f"Checked: {parity}.")
    if parity.cause is not None:
        say(f"Likely cause: {parity.cause}")
    if not parity.passes(threshold):
        raise PreceptorError("This is not the model that was measured. --threshold says how many must answer as it did")
