"""A whole study: check, forecast, stages, predictions, results."""

import importlib.metadata
import platform
import shutil
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import torch
import yaml
from rich.console import Console

from preceptor import __version__
from preceptor.engine import Cost, Numerics, NumericsChoice, choose_numerics
from preceptor.errors import InputError, Problem
from preceptor.files import digest_file, write_atomic, write_json
from preceptor.models import ModelSource, find_model, fingerprint, load_policy, load_tokenizer, places
from preceptor.progress import progress
from preceptor.study._evaluate import (
    cell_key,
    copy_predictions,
    evaluate,
    evaluation_seconds,
    finished,
    read_predictions,
)
from preceptor.study._forecast import forecast, measure_speed
from preceptor.study._prepare import Checked, Prepared, check_task, prepare, read_task
from preceptor.study._results import Cell, contrasts, majority_value, measure
from preceptor.study._run_folder import RunFolder, open_run_folder
from preceptor.study._spec import ARMS, Study
from preceptor.study._stages import Done, Workshop, pair_counts

_VERSIONS = ("torch", "transformers", "peft", "accelerate", "numpy", "scipy", "statsmodels", "scikit-learn")
_FREE_BYTES_NEEDED = 300_000_000
"""An adapter, its optimizer's state and two checkpoints of the embedded model, several tasks over."""


def check_study(study: Study, base_folder: Path, console: Console) -> list[Checked]:
    """Read and look at every task's cases before anything is trained. Raises `InputError` with all that is fatal."""
    problems: list[Problem] = []
    tokenizer = None
    try:
        source = _model(study, base_folder)
        tokenizer = load_tokenizer(source)
        problems += _too_long_for(source, study)
    except InputError as error:
        problems += error.problems
    checked: list[Checked] = []
    for entry in study.tasks:
        try:
            one = read_task(entry, study, base_folder)
            if tokenizer is not None:
                checked.append(check_task(one, study, tokenizer))
        except InputError as error:
            problems += error.problems
    for each in checked:
        each.preflight.render(console)
        problems += [Problem(f"{each.where}, {found.where}", found.what, found.fix) for found in each.preflight.fatal]
    names = [one.task.name for one in checked]
    problems += [
        Problem(f"task {name}", "it stands twice in the study", "Give each task file a name of its own.")
        for name in sorted({name for name in names if names.count(name) > 1})
    ]
    if problems:
        raise InputError(problems)
    return checked


def run_study(study: Study, base_folder: Path, run_folder: Path, console: Console, command: str) -> dict[str, Any]:
    """Run or continue a study in `run_folder`, write `results.json` there, and return what is in it.

    Raises `InputError` before any training when something is wrong with the study, its data or the folder.
    """
    with open_run_folder(run_folder) as run:
        checked = check_study(study, base_folder, console)
        _check_disk(run)
        numerics = _numerics(study, run)
        study = study.model_copy(update={"numerics": NumericsChoice(**numerics.model_dump())})
        torch.set_num_threads(numerics.threads)
        _forget_results_of_another_study(run, study)
        write_atomic(run.study, yaml.safe_dump(study.model_dump(mode="json"), sort_keys=False, allow_unicode=True))
        write_json(run.preflight, {one.task.name: _preflight(one) for one in checked})
        for one in checked:
            write_atomic(run.task(one.task.name), one.task_yaml)
        source = _model(study, base_folder)
        tokenizer = load_tokenizer(source)
        tasks = [prepare(one, study, tokenizer) for one in checked]
        _say_forecast(study, numerics, source, tasks, console)
        workshop = Workshop(study, numerics, source, fingerprint(source), run, partial(progress, console=console))
        cells = [cell for prepared in tasks for cell in _cells(workshop, prepared)]
        results = _results(study, source, tasks, cells, command)
        write_json(run.results, results)
        return results


def _cells(workshop: Workshop, prepared: Prepared) -> list[Cell]:
    """All arms and seeds of one task. Stages that arms share are found again under their key."""
    cells = []
    for seed in workshop.study.seeds:
        for arm in workshop.study.arms:
            done: list[Done] = []
            for kind in ARMS[arm]:
                done.append(workshop.run_stage(kind, prepared, done[-1] if done else None, seed))
            cells.append(_cell(workshop, prepared, arm, seed, done))
    return cells


def _cell(workshop: Workshop, prepared: Prepared, arm: str, seed: int, done: Sequence[Done]) -> Cell:
    """The arm's answers to the held-out cases: found, or generated now."""
    source, name = workshop.source, _folder_name(workshop.source)
    folder = workshop.run.cell(prepared.task.name, name, arm, seed)
    key = cell_key(done[-1].key if done else workshop.model_hash, workshop.numerics, prepared)
    if not finished(folder, key) and not _copied(workshop, prepared, arm, name, folder, key):
        policy = load_policy(source, done[-1].policy if done else None, dtype=workshop.numerics.torch_dtype)
        with workshop.progress(f"{prepared.task.name}: held-out answers of {arm}", len(prepared.test)) as advance:
            evaluate(policy, prepared, folder, key, advance)
    return Cell(
        prepared,
        source.name,
        arm,
        seed,
        read_predictions(folder),
        sum((stage.cost for stage in done), Cost()),
        evaluation_seconds(folder),
        predictions_file=(folder / "predictions.jsonl").relative_to(workshop.run.root).as_posix(),
        predictions_sha256=digest_file(folder / "predictions.jsonl"),
        pairs=pair_counts(done),
    )


def _copied(workshop: Workshop, prepared: Prepared, arm: str, name: str, folder: Path, key: str) -> bool:
    """The untouched model answers alike with every seed: one seed's answers are all seeds' answers."""
    for seed in workshop.study.seeds:
        other = workshop.run.cell(prepared.task.name, name, arm, seed)
        if other != folder and finished(other, key):
            copy_predictions(other, folder)
            return True
    return False


def _model(study: Study, base_folder: Path) -> ModelSource:
    """The study's model; a folder is named relative to the study file, as its data is."""
    beside = base_folder / Path(study.model).expanduser()
    # `models/tiny` beside a folder `models/` is a path, if perhaps a mistyped one, and never asked for at the hub.
    is_path = beside.is_dir() or ("/" in study.model and beside.parent.is_dir())
    return find_model(str(beside) if is_path else study.model)


def _too_long_for(source: ModelSource, study: Study) -> list[Problem]:
    known = places(source)
    if known is None or study.max_length <= known:
        return []
    what = f"{study.max_length} tokens are asked for, and {source.title} has places for {known}"
    return [Problem("max_length", what, f"Set it to {known} or less, or name a model with more.")]


def _folder_name(source: ModelSource) -> str:
    return source.title if source.kind == "folder" else source.name.replace("/", "--")


def _numerics(study: Study, run: RunFolder) -> Numerics:
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


def _say_forecast(
    study: Study, numerics: Numerics, source: ModelSource, tasks: Sequence[Prepared], console: Console
) -> None:
    console.print("Measuring this machine ...")
    speed = measure_speed(study, numerics, source, tasks[0])
    if not speed.shares:
        console.print(
            "This model's own attention or output code does not take prefix trees: nothing is shared, slower."
        )
    seconds = forecast(study, tasks, speed)
    minutes = max(1, round(seconds / 60))
    unit = "minute" if minutes == 1 else "minutes"
    console.print(f"The whole study takes about [bold]{minutes} {unit}[/bold] on this machine.")


def _forget_results_of_another_study(run: RunFolder, study: Study) -> None:
    """Old results beside new settings would be believed to belong together."""
    if run.study.exists() and _begun(run) != study.model_dump(mode="json"):
        run.results.unlink(missing_ok=True)


def _check_disk(run: RunFolder) -> None:
    free = shutil.disk_usage(run.root).free
    if free < _FREE_BYTES_NEEDED:
        what = f"only {free // 1_000_000} MB are free, {_FREE_BYTES_NEEDED // 1_000_000} MB are needed"
        raise InputError(Problem(str(run.root), what, "Free some space, or name a folder elsewhere with --output-dir."))


def _preflight(checked: Checked) -> dict[str, Any]:
    read = checked.read
    return checked.preflight.to_json() | {
        "read": len(read.examples) + len(read.refused),
        "refused": len(read.refused),
        "sha256": read.sha256,
        "not_drawn": checked.not_drawn,
        "split": {
            name: [example.id for example in getattr(checked.splits, name)] for name in ("train", "validation", "test")
        },
        "encodings": {Path(name).name: encoding for name, encoding in read.encodings.items()},
    }


def _results(
    study: Study, source: ModelSource, tasks: Sequence[Prepared], cells: Sequence[Cell], command: str
) -> dict[str, Any]:
    return {
        "study": {
            "name": study.name,
            "question": study.question,
            "model": {"name": source.name, "title": source.title},
            "seeds": list(study.seeds),
            "arms": list(study.arms),
            "tasks": [_task(prepared) for prepared in tasks],
        },
        "versions": {"preceptor": __version__, "python": platform.python_version()}
        | {name: importlib.metadata.version(name) for name in _VERSIONS},
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": command,
        "cells": [measure(cell.prepared, cell) for cell in cells],
        "contrasts": contrasts(cells),
    }


def _task(prepared: Prepared) -> dict[str, Any]:
    task, splits = prepared.task, prepared.splits
    return {
        "name": task.name,
        "title": task.title,
        "metric": task.metric,
        "also": [extra.model_dump(mode="json") for extra in task.also],
        "labels": list(task.labels),
        "synthetic": prepared.synthetic,
        "counts": {
            "train": len(splits.train),
            "validation": len(splits.validation),
            "test": len(splits.test),
            "groups_test": len({example.group for example in splits.test}),
        },
        "majority": majority_value(prepared),
    }
