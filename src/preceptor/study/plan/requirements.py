"""What a study will need, said beforehand: memory, tokens, operations and time of every stage; nothing is trained."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import gettempdir
from typing import Any

import torch

from preceptor.engine import Numerics, Speed, Workload, choose_numerics
from preceptor.errors import InputError, Problem
from preceptor.models import EMBEDDED, ModelSource, find_blueprint, load_tokenizer
from preceptor.study.cases import Prepared, check_task, prepare, read_task
from preceptor.study.check import too_long_for
from preceptor.study.plan.forecast import answer_seconds, bytes_to_time, measure_speed
from preceptor.study.plan.machine import Machine, available_here, looseness, own_bytes, speed_of
from preceptor.study.plan.memory import ModelBytes, answering_peak, model_bytes, training_peak
from preceptor.study.plan.stage_work import answer_work, stage_work, stages_for
from preceptor.study.predictions.answering import arms_for, seedless
from preceptor.study.spec.found import find_answer, find_kind
from preceptor.study.spec.stage_entry import source_of
from preceptor.study.spec.study import Study


@dataclass(frozen=True, slots=True)
class Need:
    """What one task needs for a stage or for an arm's answers, with one seed; so many seeds do it as `times` says.

    seconds: None where this machine cannot hold even what would have to be timed. peak: bytes on one device.
    devices: how many work on it together.
    """

    task: str
    what: str
    times: int
    work: Workload
    flops: float
    seconds: float | None
    peak: float
    devices: int


@dataclass(frozen=True, slots=True)
class Plan:
    """What a study needs of a machine. `notes`: what the figures rest on where that is not the study itself."""

    model: str
    numerics: Numerics
    needs: list[Need]
    notes: list[str]

    @property
    def seconds(self) -> float | None:
        """Of everything."""
        known = [need.times * need.seconds for need in self.needs if need.seconds is not None]
        return sum(known) if len(known) == len(self.needs) else None

    @property
    def peak(self) -> float:
        """Bytes of the stage that needs most."""
        return max((need.peak for need in self.needs), default=0.0)


@dataclass(frozen=True, slots=True)
class Planned:
    """A study whose cases are read, and whose model is known by its configuration."""

    study: Study
    base_folder: Path
    source: ModelSource
    tasks: list[Prepared] = field(repr=False)
    notes: list[str]


def read_planned(study: Study, base_folder: Path) -> Planned:
    """Read the study's cases and its model's configuration. Raises `InputError` with every problem of them."""
    source = _source(study, base_folder)
    problems = too_long_for(source, study)
    tokenizer, notes = _tokenizer(source)
    tasks = []
    for entry in study.tasks:
        try:
            checked = check_task(read_task(entry, study, base_folder), study, tokenizer)
        except InputError as error:
            problems += error.problems
            continue
        fatal = checked.preflight.fatal
        problems += [Problem(f"{checked.where}, {found.where}", found.what, found.fix) for found in fatal]
        if not fatal:
            tasks.append(prepare(checked, study, tokenizer))
    if problems:
        raise InputError(problems)
    return Planned(study, base_folder, source, tasks, notes)


def plan_study(planned: Planned, machine: Machine, *, timed: bool = True) -> Plan:
    """What every stage and every arm's answers need, in the order in which they are done; `timed`: seconds too."""
    study = planned.study
    numerics = _numerics(study, machine)
    own = own_bytes(machine)
    dtype = numerics.torch_dtype
    model = model_bytes(planned.source, study.adapter, dtype, looseness(machine, dtype))
    speed = _speed(planned, machine, numerics, model) if timed else None
    needs = [
        replace(need, peak=own + need.peak if need.peak else 0.0)
        for prepared in planned.tasks
        for need in (*_of_stages(study, prepared, numerics, model, speed), *_of_answers(study, prepared, model, speed))
    ]
    supposed = "minutes suppose that training reaches half of that rate; nothing of that machine was measured"
    return Plan(planned.source.title, numerics, needs, [*planned.notes, *([supposed] if machine.tflops else [])])


def _of_stages(
    study: Study, prepared: Prepared, numerics: Numerics, model: ModelBytes, speed: Speed | None
) -> Iterator[Need]:
    shares = speed is None or speed.shares
    for stage in stages_for(study, prepared):
        work = stage_work(study, prepared, stage, model.operations, shares=shares)
        trains = find_kind(stage.kind).makes == "policy"
        together = numerics.processes if trains else 1
        if trains:
            peak = training_peak(model, work, together, shares=shares)
        else:
            peak = answering_peak(model, work, shares=shares) if work.tokens else 0.0
        source = source_of(stage.owner)
        yield Need(
            prepared.task.name,
            f"{stage.title}@{source}" if source else stage.title,
            len(study.seeds),
            work,
            work.flops(model.operations),
            None if speed is None else speed.seconds(work, together),
            peak,
            together,
        )


def _of_answers(study: Study, prepared: Prepared, model: ModelBytes, speed: Speed | None) -> Iterator[Need]:
    shares = speed is None or speed.shares
    for arm in arms_for(study, prepared):
        work = answer_work(study, prepared, arm, model.operations, shares=shares)
        yield Need(
            prepared.task.name,
            f"answers of {arm}",
            1 if seedless(study, arm) else len(study.seeds),
            work,
            work.flops(model.operations),
            None if speed is None else answer_seconds(study, prepared, arm, speed),
            answering_peak(model, work, shares=shares) if find_answer(study.arm(arm).answer).asks_policy else 0.0,
            1,
        )


def _speed(planned: Planned, machine: Machine, numerics: Numerics, model: ModelBytes) -> Speed | None:
    """Measured on this machine, if it can hold what is timed."""
    if machine.tflops is not None:
        return speed_of(machine, model)
    if bytes_to_time(planned.source, planned.study.adapter, numerics) > available_here():
        return None
    torch.set_num_threads(numerics.threads)
    return measure_speed(planned.study, numerics, planned.source, planned.tasks[0], Path(gettempdir()))


def _numerics(study: Study, machine: Machine) -> Numerics:
    """What the study asks for; `auto` is what suits the machine. On several devices a model is trained by all."""
    choice = study.numerics
    if study.adapter is None:
        choice = choice.model_copy(update={"dtype": "float32"})
    if machine.tflops is not None:
        dtype = "bfloat16" if choice.dtype == "auto" else choice.dtype
        choice = choice.model_copy(update={"dtype": dtype, "threads": 1, "processes": machine.devices})
    return choose_numerics(choice)


def _source(study: Study, base_folder: Path) -> ModelSource:
    """A folder is named relative to the study file, as its data is."""
    beside = base_folder / Path(study.model).expanduser()
    source = find_blueprint(str(beside) if beside.is_dir() else study.model)
    return source.in_4bit() if study.load_in_4bit else source


def _tokenizer(source: ModelSource) -> tuple[Any, list[str]]:
    """The model's tokenizer; where it is not here, the embedded model's stands for it, which is said."""
    if any((source.location / name).is_file() for name in ("tokenizer.json", "tokenizer.model", "vocab.json")):
        return load_tokenizer(source), []
    try:
        stand_in = find_blueprint(EMBEDDED)
    except InputError as error:
        what = "its tokenizer is not here, and the embedded model's, which could stand for it, is not either"
        fix = "Put the model's tokenizer files beside its config.json, or run `preceptor models fetch`."
        raise InputError(Problem(f"model {source.name}", what, fix)) from error
    return load_tokenizer(stand_in), [f"tokens are those of {stand_in.title}: the model's own tokenizer is not here"]
