"""A model card in each tuned model's folder: what it is, what it was found to do, and what it must not be used for."""

from pathlib import Path

from preceptor.report._limits import exploratory_note, limits
from preceptor.report._methods import training
from preceptor.report._run import Run, read_run
from preceptor.report._template import fill_plain
from preceptor.report._writing import write_page
from preceptor.study.results.cell_schema import Cell
from preceptor.study.results.schema import ArmPart

_NAMES = ("adapter", "model", "slots")
"""Where a tuned model lies in its stage's folder: an adapter, every weight, or slots of the study's own."""


def write_cards(run_folder: Path) -> list[Path]:
    """Write `README.md` beside every tuned model that a finished run still holds, and return their paths."""
    run = read_run(run_folder)
    written = []
    for cell in run.results.cells:
        if (folder := _folder(run, cell)) is not None:
            written.append(write_page(folder / "README.md", model_card(run, cell.task, cell.arm)))
    return written


def model_card(run: Run, task: str, arm: str, library: str | None = None) -> str:
    """The card of what `arm` made for `task`, as Markdown; no path of this machine and no text of a case is in it.

    library: what loads the model, where it is not what the study kept.
    """
    results = run.results
    part = next(each for each in results.study.tasks if each.name == task)
    cells = results.of_arm(task, arm)
    asked = run.tasks.get(task)
    return fill_plain(
        "card.md.j2",
        results,
        run=run,
        library=library or ("peft" if run.settings.get("adapter") else "transformers"),
        study=results.study,
        task=part,
        spike=results.spike_of(task),
        arm=arm,
        learnt=" ".join(results.arm(arm).stages),
        made=_made(results.arm(arm), [cell.seed for cell in cells]),
        cells=cells,
        failed=[one for one in results.failed_of(task) if one.arm == arm],
        not_compared=[one for one in results.not_compared_of(task) if arm in (one.a, one.b)],
        contrasts=[c for c in results.contrasts_of(task) if arm in (c.a, c.b)],
        conclusions=results.conclusions_of(task),
        asked=asked,
        reads=[asked.fields[name] for name in asked.shown_fields] if asked else [],
        view=results.arm(arm).view,
        training=training(run, task),
        limits=limits(results),
        exploratory=exploratory_note(results),
    )


def _made(arm: ArmPart, seeds: list[int]) -> str:
    """What this folder holds."""
    one = f"with seed {seeds[0]}" if len(seeds) == 1 else f"with one of the seeds {', '.join(map(str, seeds))}"
    return f"The arm {arm.title} of a Preceptor study, {one}. {arm.explanation}"


def _folder(run: Run, cell: Cell) -> Path | None:
    """Where the cell's tuned model lies; None where none does, or it is said to lie outside of the run."""
    if cell.policy is None:
        return None
    stage = run.folder / cell.policy
    if not stage.resolve().is_relative_to(run.folder.resolve()):
        return None
    return next((stage / name for name in _NAMES if (stage / name).is_dir()), None)
