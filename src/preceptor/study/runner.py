"""A whole study: check, design, forecast, stages, answers, results."""

import shutil
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import torch
from rich.console import Console
from rich.markup import escape
from torch import nn

from preceptor.chat_server import ChatServer
from preceptor.engine import MEASUREMENTS, NumericsChoice, Speed
from preceptor.errors import InputError, Problem
from preceptor.files import write_json
from preceptor.models import blueprint, fingerprint, load_tokenizer, writes
from preceptor.progress import progress
from preceptor.study.also_asked import failed_of, left_out_of
from preceptor.study.cases import Prepared, prepare
from preceptor.study.check import check_study
from preceptor.study.made_models import with_made_models
from preceptor.study.other_models import find_other_models
from preceptor.study.plan.forecast import AtWork, Measured, forecast, measure_speed, models_at_work, read_somehow
from preceptor.study.plan.remaining import RemainingWork, remaining_work
from preceptor.study.predictions.answering import why_left_out
from preceptor.study.ray import require_ray, work_on_ray
from preceptor.study.results.cells import Cell, cells_of
from preceptor.study.results.human import with_human
from preceptor.study.results.power import show_power
from preceptor.study.results.preregistration import freeze
from preceptor.study.results.record import results_of
from preceptor.study.results.schema import Results
from preceptor.study.results.tracked import tell_results
from preceptor.study.run.failures import Failure
from preceptor.study.run.folder import RunFolder, open_run_folder
from preceptor.study.run.session import numerics_of, write_what_is_studied
from preceptor.study.run.test_set_ledger import ledger_file
from preceptor.study.spec.paths import gold_of, model_of, named_model, votes_of
from preceptor.study.spec.stacks import most_slots
from preceptor.study.spec.study import Study
from preceptor.study.stage_tree.tree import StageTree

_FREE_BYTES_NEEDED = 300_000_000
"""An adapter, its optimizer's state and two checkpoints of the embedded model, several tasks over."""


def run_study(
    study: Study,
    base_folder: Path,
    run_folder: Path,
    console: Console,
    command: str,
    ray_address: str | None = None,
) -> Results:
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
        study = study.model_copy(update={"numerics": NumericsChoice(**dict(numerics))})
        torch.set_num_threads(numerics.threads)
        write_what_is_studied(run, study, checked, base_folder)
        source = model_of(study, base_folder)
        tokenizer = load_tokenizer(source)
        others, words = find_other_models(study, base_folder), partial(named_model, base_folder=base_folder)
        others = with_made_models(others, study, checked, run.models, words)
        tasks = [prepare(one, study, tokenizer, others) for one in checked]
        _print_left_out(study, tasks, console)
        show_power(study, tasks, console)
        show = partial(progress, console=console)
        votes, hashed = votes_of(study, base_folder), fingerprint(source)
        tree = StageTree(study, numerics, source, hashed, run, show, votes, base_folder, others.here)
        if ray_address is None:
            remaining = [one for prepared in tasks if (one := remaining_work(tree, prepared))]
            _print_forecast(tree, remaining, console)
        design = freeze(run, study, tasks)
        if ray_address is not None:
            work_on_ray(tree, tasks, base_folder, ray_address, console)
        cells: list[Cell] = []
        failed: list[Failure] = []
        for prepared in tasks:
            answered, lost = cells_of(tree, prepared)
            cells += answered
            failed += lost
            _print_failed(lost, console)
        both, sources = list(zip(checked, tasks, strict=True)), {name: one.source for name, one in others.here.items()}
        unasked = {name: failed_of(tree, name) for name in study.also}
        _print_failed([one for some in unasked.values() for one in some], console)
        results = results_of(
            study, source, run, design, both, cells, command, failed, sources, left_out_of(study, tree), unasked
        )
        gold = {one.task.name: path for one in tasks if (path := gold_of(one.entry, base_folder))}
        trained_on = tree.votes if "votes" in study.maker_settings else None
        results = with_human(results, run, tasks, cells, gold=gold, votes=trained_on)
        write_json(run.results, results.model_dump(mode="json"))
        tell_results(study, run, results)
        return results


def _print_left_out(study: Study, tasks: Sequence[Prepared], console: Console) -> None:
    for arm in study.arm_names:
        left_out: dict[str, list[str]] = {}
        for one in tasks:
            if why := why_left_out(study, one, arm):
                left_out.setdefault(why, []).append(one.task.name)
        for why, names in left_out.items():
            console.print(f"The arm {arm} is left out for {escape(', '.join(names))}: {why}.")


def _print_failed(failed: Sequence[Failure], console: Console) -> None:
    """Said as soon as it is known: a study may go on for hours after it."""
    for one in failed:
        said = f"{one.task}: {one.arm} with seed {one.seed} failed in {one.stage}: {one.reason}."
        console.print(escape(said), highlight=False)


def _print_forecast(tree: StageTree, remaining: Sequence[RemainingWork], console: Console) -> None:
    if not remaining:
        if tree.failures:
            console.print("Nothing else is left to train or answer beside what failed; the results are computed.")
        else:
            console.print("Everything was trained and answered already; only the results are computed again.")
        return
    measured = _measured(tree, remaining, console)
    minutes = max(1, round(forecast(tree.study, remaining, measured, tree.base_folder, tree.numerics) / 60))
    unit = "minute" if minutes == 1 else "minutes"
    begun = any(tree.run.root.glob("cells/**/cell.json"))
    what = "What is left of the study" if begun else "The whole study"
    asked = " and the ".join(_servers(tree.study, remaining))
    more = f", and however long the {asked} may take to answer" if asked else ""
    console.print(f"{what} takes about [bold]{minutes} {unit}[/bold] on this machine{more}.")


def _measured(tree: StageTree, remaining: Sequence[RemainingWork], console: Console) -> Measured:
    """How fast each model is that what remains asks."""
    study, measured = tree.study, dict[AtWork, tuple[Speed, nn.Module]]()
    at_work = models_at_work(study, remaining, tree.numerics)
    with progress("Measuring this machine", MEASUREMENTS * len(at_work), console) as advance:
        for (name, numerics), trains in at_work.items():
            source = tree.source_of(name)
            cases = next(read for one in remaining if (read := read_somehow(study, one.prepared, name)))
            speed = measure_speed(study, numerics, source, cases, tree.run.root, advance, name=name, trains=trains)
            model = blueprint(source, most_slots(study, name), numerics.torch_dtype)
            measured[name, numerics] = speed, model
    if writes(tree.source) and any(name is None and not speed.shares for (name, _), (speed, _) in measured.items()):
        console.print(
            "This model's own attention or output code does not take prefix trees: nothing is shared, slower."
        )
    return measured


def _servers(study: Study, remaining: Sequence[RemainingWork]) -> list[str]:
    """The settings that name servers which will be asked."""
    ways = {study.arm(arm).answer for one in remaining for arm in one.answers}
    sources = {stage.source for one in remaining for stage in one.stages if stage.source}
    servers = [way for way in sorted(ways) if isinstance(study.block(way), ChatServer)]
    return servers + [name for name in sorted(sources) if isinstance(getattr(study, name, None), ChatServer)]


def _check_disk(run: RunFolder) -> None:
    free = shutil.disk_usage(run.root).free
    if free < _FREE_BYTES_NEEDED:
        what = f"only {free // 1_000_000} MB are free, {_FREE_BYTES_NEEDED // 1_000_000} MB are needed"
        raise InputError(Problem(str(run.root), what, "Free some space, or name a folder elsewhere with --output-dir."))
