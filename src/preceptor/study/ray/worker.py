"""A process, on whatever machine, that does one step of a study for the process that holds the run folder."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from pathlib import Path
from socket import gethostname

import torch
import yaml
from filelock import FileLock, Timeout

from preceptor.engine import Numerics, out_of_memory
from preceptor.errors import InputError, PreceptorError, Problem, kind_and_place
from preceptor.files import digest
from preceptor.models import ModelSource, find_model, fingerprint, load_tokenizer
from preceptor.progress import Advance, quiet
from preceptor.study.cases import Prepared, check_task, prepare, read_task
from preceptor.study.predictions.answering import answered
from preceptor.study.ray.steps import Step
from preceptor.study.run.failures import Cause, CellError
from preceptor.study.run.folder import LOCK, RunFolder
from preceptor.study.run.provenance import versions
from preceptor.study.spec.file import make_study
from preceptor.study.spec.paths import votes_of
from preceptor.study.stage_tree.tree import StageTree

Tell = Callable[[float], None]
"""Called with the share of a step, 0 to 1, that is done."""


@dataclass(frozen=True, slots=True)
class Job:
    """Where a study and its run lie, and hashes of what every machine must find there. Never a case."""

    run_folder: Path
    base_folder: Path
    source: ModelSource
    model_hash: str
    cases: tuple[tuple[str, str], ...]
    """By task, in the order of the study: what names its cases as token ids."""
    versions: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a step was not done, without a word of a case. `cause`: only what rests on the step is lost."""

    cause: Cause | None = None
    problems: tuple[Problem, ...] = ()
    system: tuple[int, str, str | None] | None = None
    """Number, words and file of an `OSError`."""
    said: str = ""
    ours: bool = False
    """Whether `said` was written for a user."""


def job_of(tree: StageTree, tasks: Sequence[Prepared], base_folder: Path) -> Job:
    """What other machines are told of this study."""
    return Job(
        tree.run.root.resolve(),
        base_folder.resolve(),
        tree.source,
        tree.model_hash,
        tuple((prepared.task.name, _name_of_cases(prepared)) for prepared in tasks),
        tuple(versions().items()),
    )


def do(job: Job, step: Step, tell: Tell) -> Failure | None:
    """Do one step; what it rests on stands. None when it is done."""
    try:
        prepared = _prepared(job, step.task)
        tree = replace(_tree(job), progress=partial(_telling, tell), failures={}, known={})  # the driver keeps failures
        torch.set_num_threads(tree.numerics.threads)
        if step.stage is None:
            answered(tree, prepared, step.arm, step.seed)
        else:
            tree.get(step.stage, prepared, step.seed)
    except Exception as error:
        return _failure(error)
    return None


def problems_here(job: Job) -> list[Problem]:
    """Why this machine cannot work on the study; nothing when it can."""
    try:
        for task, _ in job.cases:
            _prepared(job, task)
    except InputError as error:
        return error.problems
    return []


@lru_cache(maxsize=1)
def _tree(job: Job) -> StageTree:
    """Everything but the cases. Raises `InputError` with all that keeps this machine from working on the study."""
    run = RunFolder(job.run_folder)
    if not run.study.is_file():
        fix = "Put the run folder where every machine finds it under the same path, and name it with --output-dir."
        raise InputError(Problem(_here(run.root), "the run folder is not there", fix))
    problems = [*_version_problems(job), *_lock_problems(run)]
    try:
        source = job.source
        if not source.location.is_dir():  # caches may lie elsewhere
            source = replace(source, location=find_model(source.name).location)
        if fingerprint(source) != job.model_hash:
            what = "the files of the model are not those of the machine where the command was started"
            problems.append(Problem(_here(f"model {source.name}"), what, "Copy the whole model again."))
    except InputError as error:
        problems += [Problem(_here(one.where), one.what, one.fix) for one in error.problems]
    if problems:
        raise InputError(problems)
    study = make_study(yaml.safe_load(run.study.read_text(encoding="utf-8")), str(run.study))
    numerics = Numerics(**study.numerics.model_dump())  # decided by the machine where the command was started
    votes = votes_of(study, job.base_folder)
    return StageTree(study, numerics, source, job.model_hash, run, _silent, votes, job.base_folder)


@lru_cache(maxsize=16)
def _prepared(job: Job, task: str) -> Prepared:
    """The cases of one task, read from the data as the machine did where the command was started."""
    tree = _tree(job)
    study, tokenizer = tree.study, load_tokenizer(tree.source)
    names = [name for name, _ in job.cases]
    entry = study.tasks[names.index(task)]
    try:
        cases = read_task(entry.model_copy(update={"task": str(tree.run.task(task))}), study, job.base_folder)
    except InputError as error:
        raise InputError([Problem(_here(one.where), one.what, one.fix) for one in error.problems]) from None
    prepared = replace(prepare(check_task(cases, study, tokenizer), study, tokenizer), entry=entry)
    if _name_of_cases(prepared) != dict(job.cases)[task]:
        what = "the cases read here are not those of the machine where the command was started"
        raise InputError(
            Problem(_here(cases.where), what, "Put the same data on every machine, and do not change them.")
        )
    return prepared


def _version_problems(job: Job) -> Iterator[Problem]:
    here = versions()
    for name, wanted in job.versions:
        if here.get(name) != wanted:
            what = f"{name} is {here.get(name)}, and {wanted} where the command was started"
            yield Problem(_here(), what, "Install the same versions on every machine.")


def _lock_problems(run: RunFolder) -> Iterator[Problem]:
    """The process that started the study holds the run folder; who does not see that would not see others either."""
    lock = FileLock(run.root / LOCK)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return
    lock.release()
    what = "a lock that another machine holds is not seen here, so two machines could write the same file"
    yield Problem(_here(run.root), what, "Share the folder by a file system with locks, such as NFS 4.")


def _here(what: object = "") -> str:
    return f"machine {gethostname()}" + (f", {what}" if str(what) else "")


def _name_of_cases(prepared: Prepared) -> str:
    parts = [[[one.prompt, one.answer] for one in part] for part in (prepared.train, prepared.validation)]
    return digest([parts, prepared.test_hash])


@contextmanager
def _silent(what: str, total: int) -> Iterator[Advance]:
    yield quiet


@contextmanager
def _telling(tell: Tell, what: str, total: int) -> Iterator[Advance]:
    """Tell of every hundredth that is done."""
    done, told = 0.0, 0

    def advance(units: float = 1, /) -> None:
        nonlocal done, told
        done += units
        if total and (share := int(100 * done / total)) > told:
            told = share
            tell(min(share / 100, 1.0))

    yield advance


def _failure(error: Exception) -> Failure:
    """What may be said of an error elsewhere: our own words, or where it arose; others' words may repeat a case."""
    match error:
        case CellError():
            return Failure(cause=error.cause)
        case InputError():
            return Failure(problems=tuple(error.problems))
        case PreceptorError():
            return Failure(said=str(error), ours=True)
        case _ if out_of_memory(error):
            return Failure(said="there is not enough memory", ours=True)
        case OSError() if error.errno is not None:
            return Failure(system=(error.errno, error.strerror or "", error.filename and str(error.filename)))
        case _:
            return Failure(said=kind_and_place(error))
