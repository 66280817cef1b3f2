"""What two arms answered to held-out cases, for raters to score: the arms of the study's first primary contrast."""

import json
from pathlib import Path
from typing import Any

from preceptor.errors import InputError, Problem
from preceptor.preferences.labelling import Answer
from preceptor.study.cases import Prepared
from preceptor.study.predictions.prediction_files import read_predictions
from preceptor.study.run.failures import Failure, in_words
from preceptor.study.run.folder import RunFolder
from preceptor.study.run.provenance import check_results_current
from preceptor.study.run.reading import reading
from preceptor.study.spec.arms import phrases
from preceptor.study.spec.study import Study
from preceptor.tasks import Task


def rated_arms(study: Study, run_folder: Path) -> tuple[str, str]:
    """The arms whose answers are compared. Raises `InputError` when there are none, or no results that still hold."""
    check_results_current(run_folder)
    if not RunFolder(run_folder).results.is_file():
        fix = "Run `preceptor study` with this study first."
        raise InputError(Problem(str(run_folder), "there are no held-out answers yet", fix))
    if not study.primary_contrasts:
        fix = "Name two arms under `primary` in the study."
        raise InputError(Problem("primary", "the study compares no two arms, so there are no answers to compare", fix))
    return study.primary_contrasts[0]


def source_of(arm: str, seed: int) -> str:
    """Whose answer it is, as a store has it."""
    return f"{arm} seed {seed}"


def held_out_answers(study: Study, run: RunFolder, prepared: Prepared) -> dict[str, tuple[Answer, Answer]]:
    """Held-out case -> what the two arms answered, first seed; {} where an arm did not answer this task.

    Raises `InputError` when the results are of other cases.
    """
    arms, seed = rated_arms(study, run.root), study.seeds[0]
    with reading(run.results):
        results: dict[str, Any] = json.loads(run.results.read_text(encoding="utf-8"))
        told = {task["name"]: task["test_sha256"] for task in results["study"]["tasks"]}
        paths = {(c["task"], c["arm"], c["seed"]): c["predictions"]["path"] for c in results["cells"]}
    if told.get(prepared.task.name) != prepared.test_set:
        what = f"the held-out cases of {prepared.task.name} are not those of its results"
        raise InputError(Problem(str(run.root), what, "Run `preceptor study` again with this folder."))
    found = [paths.get((prepared.task.name, arm, seed)) for arm in arms]
    if None in found:
        return {}
    a, b = (
        {p.id: Answer(p.text, source_of(arm, seed)) for p in read_predictions((run.root / str(path)).parent)}
        for arm, path in zip(arms, found, strict=True)
    )
    return {example.id: (a[example.id], b[example.id]) for example in prepared.splits.test}


def what_failed(study: Study, run: RunFolder, prepared: Prepared) -> str:
    """Which of the two arms failed on this task with the first seed, in words; empty where both answered."""
    arms, seed = rated_arms(study, run.root), study.seeds[0]
    with reading(run.results):
        results: dict[str, Any] = json.loads(run.results.read_text(encoding="utf-8"))
        failed = [Failure.model_validate(one) for one in results.get("failed", [])]
    own = [one for one in failed if one.task == prepared.task.name and one.arm in arms and one.seed == seed]
    return in_words(own, phrases(study.resolved))


def differing(task: Task, a: Answer, b: Answer) -> bool:
    """Whether two held-out answers say different things; what cannot be read is an answer too."""
    if task.answer.parser == "label":
        return task.parse(a.text) != task.parse(b.text)
    return a.text.split() != b.text.split()
