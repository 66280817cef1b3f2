"""What of a study remains to be done, as steps of which several may be done at the same time, and what each takes."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import product

from preceptor.chat_server import ChatServer
from preceptor.errors import InputError
from preceptor.study.cases import Prepared
from preceptor.study.predictions.answering import answers_key, arms_for, is_answered
from preceptor.study.run.failures import ANSWERS, Part
from preceptor.study.spec.found import find_answer, find_kind
from preceptor.study.spec.stacks import adapter_of
from preceptor.study.spec.stages import StageRef
from preceptor.study.stage_tree.tree import MissingStage, StageTree, part_of

_ROOM_BYTES = 1_000_000_000
"""Python, its libraries and the cases, beside the weights."""


@dataclass(frozen=True, slots=True)
class Step:
    """One stage, or an arm's answers to the held-out cases where `stage` is None.

    `after`: all that it needs and that does not stand yet, in order.
    """

    part: Part
    stage: StageRef | None = None
    after: tuple[Part, ...] = ()


@dataclass(frozen=True, slots=True)
class Needs:
    """What a step takes of a machine. `here`: only the machine where the command was started will do."""

    cpus: int
    gpus: int = 0
    memory: int = 0
    here: bool = False


def remaining_steps(tree: StageTree, tasks: Sequence[Prepared]) -> list[Step]:
    """Every stage and every arm's answers that are missing, each behind the one it needs. Nothing is trained.

    What is sure to fail, as behind a kept file that is damaged, is no step.
    """
    steps: dict[Part, Step] = {}
    for prepared in tasks:
        keys = set[str]()
        for seed, arm in product(tree.study.seeds, arms_for(tree.study, prepared)):
            with suppress(InputError):
                for step in _of_arm(tree, prepared, arm, seed, keys):
                    steps.setdefault(step.part, step)
    return list(steps.values())


def _of_arm(tree: StageTree, prepared: Prepared, arm: str, seed: int, keys: set[str]) -> Iterator[Step]:
    """The stages that an arm still needs, in order, and its answers. `keys`: of answers that are steps already."""
    last, found, missing = tree.study.stage_of(arm), tree.find(arm, prepared, seed), tuple[StageRef, ...]()
    if last and isinstance(found, MissingStage):
        missing = last.required[last.required.index(found.stage) :]
    elif not isinstance(found, MissingStage):  # deterministic arms answer once for all seeds
        key = answers_key(tree, prepared, arm, seed, found)
        if key in keys or is_answered(tree, prepared, arm, key):
            return
        keys.add(key)
    parts = {stage: part_of(stage, prepared, seed) for stage in missing}
    for stage, part in parts.items():
        yield Step(part, stage, tuple(parts[one] for one in stage.required[:-1] if one in parts))
    yield Step(Part(prepared.task.name, arm, seed, ANSWERS), None, tuple(parts.values()))


def needs_of(tree: StageTree, step: Step, *, gpus: bool) -> Needs:
    """What the step takes, in a cluster with or without GPUs; the threads and processes are the study's own."""
    study, numerics = tree.study, tree.numerics
    if step.stage:
        asks_policy, server = True, getattr(study, step.stage.source or "", None)
    else:
        way = study.arm(step.part.arm).answer
        asks_policy, server = find_answer(way).asks_policy, study.block(way)
    here = isinstance(server, ChatServer) and server.is_here
    if not asks_policy:
        waits = isinstance(server, ChatServer)
        return Needs(cpus=0, here=here) if waits else Needs(numerics.threads, memory=_ROOM_BYTES)
    trains = step.stage is not None and find_kind(step.stage.kind).makes == "policy"
    model = step.stage.model if step.stage else study.arm(step.part.arm).model
    weights = sum(file.stat().st_size for file in tree.source_of(model).location.glob("*.safetensors"))
    if trains and step.stage and adapter_of(study, find_kind(step.stage.kind)) is None:
        weights *= 4  # with their gradients and two moments of each
    together = numerics.processes if trains else 1
    return Needs(numerics.threads, together * int(gpus), together * (_ROOM_BYTES + weights), here)
