"""What a study will need, said beforehand: memory, tokens, operations and time of every stage; nothing is trained."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory, gettempdir
from typing import Any

from preceptor.engine import ModelBytes, Numerics, Speed, Unit, Work, choose_numerics, flops_of, model_bytes
from preceptor.errors import InputError, Problem
from preceptor.files import expanded, is_folder
from preceptor.models import EMBEDDED, ModelSource, find_blueprint, load_tokenizer
from preceptor.progress import Advance, quiet
from preceptor.study.cases import Checked, Prepared, check_task, prepare, read_task
from preceptor.study.check import too_long_for
from preceptor.study.made_models import made_settings, with_made_models
from preceptor.study.other_models import OtherModel, find_other_models
from preceptor.study.plan.forecast import (
    AtWork,
    answer_work,
    known_seconds,
    layers_to_measure,
    measure_speed,
    read_somehow,
    stage_work,
)
from preceptor.study.plan.machine import Machine, available_here
from preceptor.study.plan.remaining import stages_for
from preceptor.study.predictions.answering import arms_for, seedless
from preceptor.study.spec.found import find_kind
from preceptor.study.spec.stacks import most_slots
from preceptor.study.spec.stage_entry import source_of
from preceptor.study.spec.study import Study

_OF_RATE = 0.5
"""Share of the rate of its matrix products at which a machine trains: what was measured, see docs/PERFORMANCE.md."""


@dataclass(frozen=True, slots=True)
class Need:
    """What one task needs for a stage or for an arm's answers, with one seed; so many seeds do it as `times` says.

    tokens: distinct ones. seen: those of every sequence in full. seconds: None where this machine cannot hold even what
    would have to be measured. peak: bytes on one device. devices: how many work on it together.
    """

    task: str
    what: str
    times: int
    tokens: float
    seen: float
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
    others: Mapping[str, OtherModel] = field(default_factory=dict)
    made_in: TemporaryDirectory[str] | None = field(default=None, repr=False)
    """Holds the models that are made for as long as they are planned with."""

    @property
    def models(self) -> dict[str | None, ModelSource]:
        """The study's model, and its further models by name."""
        return {None: self.source} | {name: other.source for name, other in self.others.items()}


def read_planned(study: Study, base_folder: Path) -> Planned:
    """Read the study's cases and its models' configurations. Raises `InputError` with every problem of them."""
    source = _blueprint(study.model, base_folder)
    problems = too_long_for(source, study)
    tokenizer, notes = _tokenizer(source)
    others = find_other_models(study, base_folder, _blueprint)
    notes += [
        f"the arm {arm} is left out: {why}"
        for arm in study.resolved
        for name in study.models_of(arm)
        if (why := others.absent.get(name))
    ]
    read: list[Checked] = []
    for entry in study.tasks:
        try:
            checked = check_task(read_task(entry, study, base_folder), study, tokenizer)
        except InputError as error:
            problems += error.problems
            continue
        fatal = checked.preflight.fatal
        problems += [Problem(f"{checked.where}, {found.where}", found.what, found.fix) for found in fatal]
        if not fatal:
            read.append(checked)
    if problems:
        raise InputError(problems)
    folder = TemporaryDirectory() if made_settings(study) else None
    if folder:
        words = partial(_blueprint, base_folder=base_folder)
        others = with_made_models(others, study, read, Path(folder.name), words)
    tasks = [prepare(one, study, tokenizer, others) for one in read]
    return Planned(
        study, base_folder, source.in_4bit() if study.load_in_4bit else source, tasks, notes, others.here, folder
    )


def _blueprint(model: str, base_folder: Path) -> ModelSource:
    beside = base_folder / expanded(model)  # a folder is named relative to the study file
    return find_blueprint(str(beside) if is_folder(beside) else model)


def plan_study(planned: Planned, machine: Machine, *, timed: bool = True, advance: Advance = quiet) -> Plan:
    """What every stage and every arm's answers need, in the order in which they are done.

    timed: seconds too, for which this machine is measured while `advance` counts `MEASUREMENTS` of each of
    `planned_at_work`.
    """
    study, numerics = planned.study, _numerics(planned.study, machine)
    counts = {one: _counted(planned, *one) for one in planned_at_work(planned, machine)}
    own = machine.own_bytes  # before a model is measured
    speeds = {one: _measured(planned, machine, counts[one], one, advance) if timed else None for one in counts}

    def shares(one: AtWork) -> bool:
        speed = speeds[one]
        return speed is None or speed.shares

    def need(
        prepared: Prepared,
        what: str,
        seeds: int,
        work: Work,
        model: AtWork,
        devices: int = 1,
        known: float | None = None,
    ) -> Need:
        counted, speed = counts[model], speeds[model]
        flops, seconds = flops_of(work, counted.model), known
        if known is None and machine.tflops is not None:
            seconds = flops / (machine.tflops * 1e12 * _OF_RATE * devices)
        elif known is None and speed is not None:
            seconds = speed.seconds(work, devices)
        tokens, seen = (sum(unit.repeats * getattr(unit, name) for unit in work) for name in ("tokens", "seen"))
        loose = machine.looseness(model[1].torch_dtype)
        peak = max((counted.peak(unit, devices, loose) for unit in work), default=-own) + own
        return Need(prepared.task.name, what, seeds, tokens, seen, flops, seconds, peak, devices)

    needs = []
    for prepared in planned.tasks:
        for stage in stages_for(study, prepared):
            what = "@".join(filter(None, (stage.title, source_of(stage.owner))))
            devices = numerics.processes if find_kind(stage.kind).makes == "policy" else 1
            one = stage.model, numerics
            work = stage_work(study, prepared, stage, counts[one].model, planned.base_folder, shares=shares(one))
            needs.append(need(prepared, what, len(study.seeds), work, one, devices))
        for arm in arms_for(study, prepared):
            seeds = 1 if seedless(study, arm) else len(study.seeds)
            one = study.arm(arm).model, numerics.answering
            work = answer_work(study, prepared, arm, counts[one].model, shares=shares(one))
            needs.append(need(prepared, f"answers of {arm}", seeds, work, one, known=known_seconds(study, arm)))
    supposed = "minutes suppose that training reaches half of that rate; nothing of that machine was measured"
    return Plan(planned.source.title, numerics, needs, [*planned.notes, *([supposed] if machine.tflops else [])])


def planned_at_work(planned: Planned, machine: Machine) -> list[AtWork]:
    """Each of a study's models in the numerics in which it is trained, and in those in which it answers."""
    numerics = _numerics(planned.study, machine)
    return [(name, kind) for name in planned.models for kind in dict.fromkeys([numerics, numerics.answering])]


def _counted(planned: Planned, name: str | None, numerics: Numerics) -> ModelBytes:
    slots = tuple(most_slots(planned.study, name).items())
    return model_bytes(planned.models[name], slots, numerics.torch_dtype, numerics.tokens_per_tree)


def _measured(planned: Planned, machine: Machine, model: ModelBytes, at_work: AtWork, advance: Advance) -> Speed | None:
    """How fast this machine is, if it can hold what is measured; None of one that is described, and of a further model
    that reads no task.
    """
    (name, numerics), study = at_work, planned.study
    trains = numerics == _numerics(study, machine)
    source = planned.models[name]
    tasks = [read for one in planned.tasks if (read := read_somehow(study, one, name))]
    share = layers_to_measure(source, model) / model.layers
    tree = Unit("train", held=numerics.tokens_per_tree)
    if machine.tflops is not None or not tasks or model.outside + share * model.peak(tree) > available_here():
        return None
    return measure_speed(study, numerics, source, tasks[0], Path(gettempdir()), advance, name=name, trains=trains)


def _numerics(study: Study, machine: Machine) -> Numerics:
    """What the study asks for; `auto` is what suits the machine. On several devices a model is trained by all."""
    choice = study.numerics
    if study.adapter is None:
        choice = choice.model_copy(update={"dtype": "float32"})
    if machine.tflops is not None:
        dtype = "bfloat16" if choice.dtype == "auto" else choice.dtype
        answers = dtype if choice.answer_dtype == "auto" else choice.answer_dtype
        of_machine = {"dtype": dtype, "answer_dtype": answers, "threads": 1, "processes": machine.devices}
        choice = choice.model_copy(update=of_machine)
    return choose_numerics(choice)


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
