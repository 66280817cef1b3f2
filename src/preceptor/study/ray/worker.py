"""A process, on whatever machine, that does one step of a study for the process that holds the run folder."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from pathlib import Path

import torch
import yaml
from filelock import FileLock, Timeout

from preceptor.engine import Numerics, without_case
from preceptor.errors import InputError, Problem
from preceptor.files import digest
from preceptor.models import fingerprint, load_tokenizer
from preceptor.progress import Advance, quiet
from preceptor.study.cases import Prepared, prepare, read_task
from preceptor.study.made_models import kept_models
from preceptor.study.other_models import OtherModels, find_other_models
from preceptor.study.predictions.answering import answered
from preceptor.study.ray.steps import Step
from preceptor.study.run.failures import Cause, CellError
from preceptor.study.run.folder import LOCK, RunFolder
from preceptor.study.run.provenance import versions
from preceptor.study.spec.file import make_study
from preceptor.study.spec.paths import model_of, votes_of
from preceptor.study.stage_tree.tree import StageTree


@dataclass(frozen=True, slots=True)
class Job:
    """Where a study and its run lie, and hashes of what every machine must find there. Never a case."""

    run_folder: Path
    base_folder: Path
    model_hash: str
    other_hashes: tuple[tuple[str, str], ...]
    """Of the study's further models, by name."""
    cases: tuple[tuple[str, str], ...]
    """By task, in the order of the study: a hash of its cases as token ids."""
    versions: tuple[tuple[str, str], ...]


def job_of(tree: StageTree, tasks: Sequence[Prepared], base_folder: Path) -> Job:
    """What other machines need to know of this study."""
    root, cases = tree.run.root.resolve(), tuple((one.task.name, _cases_hash(one)) for one in tasks)
    others = tuple((name, model.hash) for name, model in tree.others.items())
    return Job(root, base_folder.resolve(), tree.model_hash, others, cases, tuple(versions().items()))


def problems_here(job: Job) -> list[Problem]:
    """Why this machine cannot work on the study; nothing when it can."""
    try:
        for task, _ in job.cases:
            _prepared(job, task)
    except InputError as error:
        return error.problems
    return []


def do(job: Job, step: Step, report: Callable[[float], None]) -> Cause | None:
    """Do one step; what it rests on stands. Returns why it failed, if that costs only what rests on it.

    Calls `report` with the share of the step, 0 to 1, that is done. Raises anything else without a word of a case.
    """
    try:
        prepared = _prepared(job, step.part.task)
        tree = replace(_tree(job), progress=partial(_reporting, report), failures={}, known={})  # the driver keeps both
        torch.set_num_threads(tree.numerics.threads)
        if step.stage is None:
            answered(tree, prepared, step.part.arm, step.part.seed)
        else:
            tree.get(step.stage, prepared, step.part.seed)
    except CellError as error:
        return error.cause
    except Exception as error:
        raise without_case(error) from None
    return None


@lru_cache(maxsize=1)
def _tree(job: Job) -> StageTree:
    """Everything but the cases. Raises `InputError` with all that keeps this machine from working on the study."""
    run, here, problems = RunFolder(job.run_folder), versions(), list[Problem]()
    if not run.study.is_file():
        fix = "Put the run folder where every machine finds it under the same path, and name it with --output-dir."
        raise InputError(Problem(str(run.root), "the run folder is not there", fix))
    for name, wanted in job.versions:
        if here.get(name) != wanted:
            what = f"{name} is {here.get(name)}, and {wanted} where the command was started"
            problems.append(Problem(name, what, "Install the same versions on every machine."))
    with suppress(Timeout), FileLock(run.root / LOCK).acquire(timeout=0):  # who started the study holds it
        what = "a lock that another machine holds is not seen here, so two machines could write the same file"
        problems.append(Problem(str(run.root), what, "Share the folder by a file system with locks, such as NFS 4."))
    try:
        study = make_study(yaml.safe_load(run.study.read_text(encoding="utf-8")), str(run.study))
        source = model_of(study, job.base_folder)  # caches may lie elsewhere
        others = {**find_other_models(study, job.base_folder).here, **kept_models(study, run.models)}
        found = {source.name: fingerprint(source)} | {name: model.hash for name, model in others.items()}
        for name, wanted in ((source.name, job.model_hash), *job.other_hashes):
            if found.get(name) != wanted:
                what = "the files of the model are not those of the machine where the command was started"
                problems.append(Problem(f"model {name}", what, "Copy the whole model again."))
    except InputError as error:
        problems += error.problems
    if problems:
        raise InputError(problems)
    numerics = Numerics(**study.numerics.model_dump())  # decided by the machine where the command was started
    votes = votes_of(study, job.base_folder)
    show, asked = partial(_reporting, quiet), dict(job.other_hashes)
    others = {name: model for name, model in others.items() if name in asked}  # those that the study's results are of
    return StageTree(study, numerics, source, job.model_hash, run, show, votes, job.base_folder, others)


@lru_cache(maxsize=16)
def _prepared(job: Job, task: str) -> Prepared:
    """The cases of one task, read from the data as the machine did where the command was started."""
    tree, hashes = _tree(job), dict(job.cases)
    entry = tree.study.tasks[[*hashes].index(task)].model_copy(update={"task": str(tree.run.task(task))})
    cases = read_task(entry, tree.study, job.base_folder)
    prepared = prepare(cases, tree.study, load_tokenizer(tree.source), OtherModels(tree.others))
    if _cases_hash(prepared) != hashes[task]:
        what = "the cases read here are not those of the machine where the command was started"
        raise InputError(Problem(cases.where, what, "Put the same data on every machine, and do not change them."))
    return prepared


def _cases_hash(prepared: Prepared) -> str:
    parts = [[[one.prompt, one.answer] for one in part] for part in (prepared.train, prepared.validation)]
    others = [[name, _cases_hash(read)] for name, read in sorted(prepared.others.items())]
    views = {name: seen.view_key for name, seen in prepared.views.items()}
    return digest([parts, prepared.test_hash, others, views])


@contextmanager
def _reporting(report: Callable[[float], None], what: str, total: int) -> Iterator[Advance]:
    """Report every hundredth that is done."""
    done, reported = 0.0, 0

    def advance(units: float = 1, /) -> None:
        nonlocal done, reported
        done += units
        if total and (share := int(100 * done / total)) > reported:
            reported = share
            report(min(share / 100, 1.0))

    yield advance
