"""`preceptor export`: a model of a run as a folder that other programs load."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from preceptor.cli._say import console, say
from preceptor.errors import InputError, Problem
from preceptor.full_disk import explain_full_disk

if TYPE_CHECKING:
    from preceptor.study import ArmOfRun


def export(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="The folder of a finished run, such as runs/quickstart.")],
    task: Annotated[str, typer.Option(help="The task the model was measured on.")],
    arm: Annotated[str, typer.Option(help="The arm whose model is wanted, such as `sft`.")],
    to: Annotated[
        Literal["adapter", "merged", "gguf"],
        typer.Option(help="A PEFT adapter, merged safetensors, or a GGUF file for llama.cpp, Ollama."),
    ],
    output_dir: Annotated[Path, typer.Option(help="The folder to write, which must not exist yet.")],
    seed: Annotated[int | None, typer.Option(help="The seed it was trained with; default: the study's first.")] = None,
    gguf_type: Annotated[
        Literal["f16", "f32"] | None,
        typer.Option(help="For gguf: what weights are stored in; default: f32 if measured in float32."),
    ] = None,
    threshold: Annotated[
        float, typer.Option(min=0, max=1, help="Least share of held-out answers that must be the study's.")
    ] = 1.0,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an earlier export there.")] = False,
) -> None:
    """Take the model of an arm out of a run, for other programs to load, and ask it some held-out cases again."""
    from preceptor.ship import MAY_REPEAT
    from preceptor.ship import export as exported
    from preceptor.study import open_arm

    if gguf_type is not None and to != "gguf":
        raise InputError(Problem("--gguf-type", f"{to} has none", "Leave it out, or take `--to gguf`"))
    opened = open_arm(run, task, arm, seed, heads=True, makes=True)
    with explain_full_disk(output_dir):
        result = exported(
            opened,
            to,
            output_dir,
            card=_card(opened, to),
            gguf_type=gguf_type,
            threshold=threshold,
            overwrite=overwrite,
            console=console,
        )
    if result.rounding is not None:
        say(str(result.rounding))
    if result.head_beside is not None:
        say(f"The head stands in a file of its own: {result.head_beside}.")
    if result.parity is not None:
        say(f"Checked: {result.parity}.")
        if result.parity.cause is not None:
            say(f"Likely cause: {result.parity.cause}")
    if result.free_text is not None:
        say(f"{result.free_text}.")
    if opened.folder is not None:
        say(MAY_REPEAT)
    say(f"Written: {output_dir}")


def _card(arm: "ArmOfRun", to: str) -> str:
    """The model card; "" for the untouched model, which this study did not train."""
    from preceptor.report import model_card, read_run

    if arm.folder is None:
        return ""
    library = {"adapter": "peft", "merged": "transformers", "gguf": "gguf"}[to]
    return model_card(read_run(arm.root), arm.task.name, arm.arm, library)
