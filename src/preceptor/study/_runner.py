"""A whole study: check, design, forecast, stages, answers, results."""

import shutil
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
import yaml
from rich.console import Console
from rich.markup import escape

from preceptor.engine import Numerics, NumericsChoice, choose_numerics
from preceptor.errors import InputError, Problem
from preceptor.files import json_text, write_atomic, write_json
from preceptor.models import fingerprint, load_tokenizer
from preceptor.progress import progress
from preceptor.study._cell import Cell
from preceptor.study._cells import cells_of, why_left_out
from preceptor.study._check import check_study, gold_of, model_of, votes_of
from preceptor.study._design import freeze
from preceptor.study._failures import Failure
from preceptor.study._forecast import forecast, measure_speed
from preceptor.study._human import with_human
from preceptor.study._looks import ledger_file
from preceptor.study._on_ray import require_ray, work_on_ray
from preceptor.study._plan import Left, what_is_left
from preceptor.study._power import show_power
from preceptor.study._prepare import Checked, Prepared, prepare
from preceptor.study._record import preflight_of, results_of
from preceptor.study._run_folder import RunFolder, open_run_folder
from preceptor.study._spec import Study
from preceptor.study._stages import Workshop
from preceptor.study._study_folder import write_study_folder
from preceptor.study._tracked import tell_results

_FREE_BYTES_NEEDED = 300_000_000
"""An adapter, its optimizer's state and two checkpoints of the embedded model, several tasks over."""


def run_study(
    study: Study,
    base_folder: Path,
    run_folder: Path,
    console: Console,
    command: str,
    ray_address: str | None = None,
) -> dict[str, Any]:
    """Run or continue a study in `run_folder`, write `results.json` there, and return what is in it.

    With `ray_address`, stages and answers are the work of that Ray cluster; `local` is one of this machine alone. What
    fails and concerns one arm on one task only is told under `failed`, and the others go on.
    Raises `InputError` before any training when something is wrong with the study, its data or the folder.
    """
    if ray_address is not None:
        require_ray(ray_address)
    with open_run_folder(run_folder) as run:
        ledger_file()  # a look that cannot be noted is better known now than after the training
        checked = check_study(study, base_folder, console)
        _check_disk(run)
        numerics = numerics_of(study, run)
        study = study.model_copy(update={"numerics": NumericsChoice(**numerics.model_dump())})
        torch.set_num_threads(numerics.threads)
        write_what_is_studied(run, study, checked, base_folder)
        source = model_of(study, base_folder)
        tokenizer = load_tokenizer(source)
        tasks = [prepare(one, study, tokenizer) for one in checked]
        _say_skipped(study, tasks, console)
        show_power(study, tasks, console)
        show = partial(progress, console=console)
        workshop = Workshop(study, numerics, source, fingerprint(source), run, show, votes_of(study, base_folder))
        if ray_address is None:
            left = [one for prepared in tasks if (one := what_is_left(workshop, prepared))]
            _say_forecast(workshop, left, console)
        design = freeze(run, study, tasks)
        if ray_address is not None:
            work_on_ray(workshop, tasks, base_folder, ray_address, console)
        cells: list[Cell] = []
        failed: list[Failure] = []
        for prepared in tasks:
            answered, lost = cells_of(workshop, prepared)
            cells += answered
            failed += lost
            _say_failed(lost, console)
        results = results_of(study, source, run, design, list(zip(checked, tasks, strict=True)), cells, command, failed)
        gold = {one.task.name: path for one in tasks if (path := gold_of(one.entry, base_folder))}
        trained_on = workshop.votes if "votes" in study.makers else None
        results = with_human(results, run, tasks, cells, gold=gold, votes=trained_on)
        write_json(run.results, results)
        tell_results(study, run, results)
        return results


def numerics_of(study: Study, run: RunFolder) -> Numerics:
    """What the study asks for; `auto` is what this run was begun with, else what suits this machine."""
    choice = study.numerics
    if study.adapter is None:  # sixteen bits would round the steps of a weight away
        choice = choice.model_copy(update={"dtype": "float32"})
    if run.study.exists():
        begun = _begun(run)["numerics"]
        choice = NumericsChoice(**{k: begun[k] if v == "auto" else v for k, v in choice.model_dump().items()})
    return choose_numerics(choice)


def _begun(run: RunFolder) -> dict[str, Any]:
    """The study this folder was begun with. Raises InputError when it cannot be read any more."""
    try:
        begun: dict[str, Any] = yaml.safe_load(run.study.read_text(encoding="utf-8"))
        NumericsChoice.model_validate(begun["numerics"])
    except (OSError, ValueError, KeyError, TypeError, yaml.YAMLError) as error:
        what = "what this run was begun with cannot be read any more"
        raise InputError(Problem(str(run.study), what, "Name another folder with --output-dir.")) from error
    return begun


def _say_skipped(study: Study, tasks: Sequence[Prepared], console: Console) -> None:
    for arm in study.arms:
        left_out: dict[str, list[str]] = {}
        for one in tasks:
            if why := why_left_out(study, one, arm):
                left_out.setdefault(why, []).append(one.task.name)
        for why, names in left_out.items():
            console.print(f"The arm {arm} is left out for {escape(', '.join(names))}: {why}.")


def _say_failed(failed: Sequence[Failure], console: Console) -> None:
    """Said as soon as it is known: a study may go on for hours after it."""
    for one in failed:
        said = f"{one.task}: {one.arm} with seed {one.seed} failed in {one.stage}: {one.reason}."
        console.print(escape(said), highlight=False)


def _say_forecast(workshop: Workshop, left: Sequence[Left], console: Console) -> None:
    if not left:
        everything = (
            "Nothing else is left to do" if workshop.failures else "Everything was trained and answered already"
        )
        console.print(f"{everything}; only the results are computed again.")
        return
    console.print("Measuring this machine ...")
    speed = measure_speed(workshop.study, workshop.numerics, workshop.source, left[0].prepared, workshop.run.root)
    if not speed.shares:
        console.print(
            "This model's own attention or output code does not take prefix trees: nothing is shared, slower."
        )
    minutes = max(1, round(forecast(workshop.study, left, speed) / 60))
    unit = "minute" if minutes == 1 else "minutes"
    begun = any(workshop.run.root.glob("cells/**/cell.json"))
    what = "What is left of the study" if begun else "The whole study"
    servers = {
        "endpoint": any("endpoint" in one.answers for one in left),
        "judge": any(workshop.study.maker_of(arm) == "judge" for one in left for arm in one.stages if arm != "sft"),
    }
    asked = " and the ".join(name for name, needed in servers.items() if needed)
    more = f", and however long the {asked} may take to answer" if asked else ""
    console.print(f"{what} takes about [bold]{minutes} {unit}[/bold] on this machine{more}.")


def write_what_is_studied(run: RunFolder, study: Study, checked: Sequence[Checked], base_folder: Path) -> None:
    """The study, its tasks and what was found in the data. Results of anything else are forgotten.

    Old results beside new settings would be believed to belong together: they go before anything is changed, and what
    is already as it should be is not touched, so that whenever this is cut off, results that stand are those of what
    stands beside them.
    """
    if run.study.exists():
        _begun(run)
    written = {
        run.study: yaml.safe_dump(study.model_dump(mode="json"), sort_keys=False, allow_unicode=True),
        run.preflight: json_text({one.task.name: preflight_of(one) for one in checked}),
    } | {run.task(one.task.name): one.task_yaml for one in checked}
    other = {path: text for path, text in written.items() if not path.is_file() or path.read_bytes() != text.encode()}
    dropped = [path for path in (run.root / "tasks").glob("*.yaml") if path not in written]
    if other or dropped:
        run.results.unlink(missing_ok=True)
    for path, text in other.items():
        write_atomic(path, text)
    for path in dropped:
        path.unlink()
    write_study_folder(run, base_folder)


def _check_disk(run: RunFolder) -> None:
    free = shutil.disk_usage(run.root).free
    if free < _FREE_BYTES_NEEDED:
        what = f"only {free // 1_000_000} MB are free, {_FREE_BYTES_NEEDED // 1_000_000} MB are needed"
        raise InputError(Problem(str(run.root), what, "Free some space, or name a folder elsewhere with --output-dir."))
