"""The pairs an arm of a finished run was trained on, with the prompts they answer."""

import json
from functools import partial
from pathlib import Path
from typing import Any

import yaml
from rich.console import Console

from preceptor.engine import choose_numerics
from preceptor.errors import InputError, Problem
from preceptor.models import fingerprint, load_tokenizer
from preceptor.preferences.interchange import Row
from preceptor.progress import progress
from preceptor.study._check import model_of, votes_of
from preceptor.study._kept import kept
from preceptor.study._made_from import refuse_old_results
from preceptor.study._pairs import read_pairs
from preceptor.study._prepare import check_task, prepare, read_task
from preceptor.study._run_folder import RunFolder
from preceptor.study._spec import Study, TaskEntry
from preceptor.study._stages import NotDoneYet, Workshop
from preceptor.study._study_file import make_study

_AGAIN = "Run `preceptor study` again with this folder; what is finished is not computed again."


def rows_of_arm(run_folder: Path, task: str, arm: str, seed: int | None = None) -> list[Row]:
    """The arm's pairs, those trained on first, then those that chose its checkpoint (`part` says which).

    `seed` is the study's first by default. Prompts are as the task asks them, before a case that is too long is cut.
    Raises InputError where the run, the task or the arm has no such pairs, or the data are no longer what they were.
    """
    refuse_old_results(run_folder)
    run = RunFolder(run_folder)
    results, study = _finished(run)
    seed = study.seeds[0] if seed is None else seed
    _refuse_unknown(results, run_folder, task, arm, seed)
    base = Path(str(results["command"]).split(maxsplit=2)[-1].split(" --model ")[0]).parent
    entry = study.tasks[[one["name"] for one in results["study"]["tasks"]].index(task)]
    return _rows(study, entry, base, run, arm, seed)


def _rows(study: Study, entry: TaskEntry, base: Path, run: RunFolder, arm: str, seed: int) -> list[Row]:
    source = model_of(study, base)
    tokenizer = load_tokenizer(source)
    prepared = prepare(check_task(read_task(entry, study, base), study, tokenizer), study, tokenizer)
    quiet = partial(progress, console=Console(quiet=True))
    numerics = choose_numerics(study.numerics)
    looking = Workshop(study, numerics, source, fingerprint(source), run, quiet, votes_of(study, base), looking=True)
    try:
        stages = looking.stages(arm, prepared, seed)
    except NotDoneYet:
        what = f"the stages of {arm} that fit its study, data and model are not in the folder"
        raise InputError(Problem(str(run.root), what, _AGAIN)) from None
    file = next(stage.folder for stage in stages if stage.kind == "pairs") / "pairs.jsonl"
    examples = {example.id: example for example in (*prepared.splits.train, *prepared.splits.validation)}
    rows = []
    for part, pairs in zip(("train", "validation"), read_pairs(file, prepared), strict=True):
        for pair in pairs:
            example = examples[pair.example_id]
            turns, extra = tuple(prepared.task.messages(example)), {"origin": pair.origin, "part": part}
            rows.append(Row(example.id, example.group, turns, example.target, pair.chosen, pair.rejected, extra))
    return rows


def _finished(run: RunFolder) -> tuple[dict[str, Any], Study]:
    if not run.results.is_file():
        raise InputError(
            Problem(str(run.root), "there is no finished run here", "Name a run folder, as runs/quickstart")
        )
    with kept(run.results):
        results: dict[str, Any] = json.loads(run.results.read_text(encoding="utf-8"))
    try:
        raw = yaml.safe_load(run.study.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError):
        raise InputError(Problem(str(run.study), "it cannot be read any more", _AGAIN)) from None
    return results, make_study(raw, str(run.study))


def _refuse_unknown(results: dict[str, Any], run_folder: Path, task: str, arm: str, seed: int) -> None:
    """One problem for each name that this run does not know."""
    cells = [cell for cell in results["cells"] if "dpo" in cell["arm"]]
    problems = []
    for option, given, known in (
        ("--task", task, sorted({cell["task"] for cell in cells})),
        ("--arm", arm, sorted({cell["arm"] for cell in cells})),
        ("--seed", seed, sorted({cell["seed"] for cell in cells})),
    ):
        if given not in known:
            fix = f"It has pairs for {', '.join(map(str, known)) or 'none'}"
            problems.append(Problem(f"{run_folder}, {option}", f"this run has no pairs for {given}", fix))
    if problems:
        raise InputError(problems)
