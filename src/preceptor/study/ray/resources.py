"""What a step takes of a machine, and which machines of a cluster can do it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from preceptor.chat_server import ChatServer
from preceptor.errors import InputError, Problem
from preceptor.study.ray.steps import Step
from preceptor.study.ray.worker import Job, problems_here
from preceptor.study.spec.found import find_answer, find_kind
from preceptor.study.stage_tree.tree import StageTree

_ROOM_BYTES = 1_000_000_000
"""Python, its libraries and the cases, beside the weights."""


@dataclass(frozen=True, slots=True)
class Needs:
    """What a step takes of a machine. `here`: only the machine where the command was started will do."""

    cpus: int
    gpus: int = 0
    memory: int = 0
    here: bool = False


def needs_of(tree: StageTree, step: Step, *, gpus: bool) -> Needs:
    """What the step takes, in a cluster with or without GPUs; the threads and processes are the study's own."""
    study, numerics = tree.study, tree.numerics
    asks_policy = True
    server: Any = None
    if step.stage is None:
        way = study.arm(step.arm).answer
        asks_policy, server = find_answer(way).asks_policy, study.block(way)
    elif step.stage.source:
        server = getattr(study, step.stage.source, None)
    here = isinstance(server, ChatServer) and server.is_here
    if not asks_policy:
        waits = isinstance(server, ChatServer)
        return Needs(cpus=0, here=here) if waits else Needs(numerics.threads, memory=_ROOM_BYTES)
    trains = step.stage is not None and find_kind(step.stage.kind).makes == "policy"
    together = numerics.processes if trains else 1
    memory = together * (_ROOM_BYTES + _weights(tree, trains=trains))
    return Needs(numerics.threads, together * int(gpus), memory, here)


def _weights(tree: StageTree, *, trains: bool) -> int:
    """Bytes of the weights; where every weight is tuned, their gradients and two moments of each, too."""
    stored = sum(file.stat().st_size for file in tree.source.location.glob("*.safetensors"))
    return stored * (4 if trains and tree.study.adapter is None else 1)


def has_gpus(ray: Any) -> bool:
    """Whether any living node of the cluster has a GPU."""
    return any(node["Resources"].get("GPU", 0) >= 1 for node in _nodes(ray))


def _nodes(ray: Any) -> list[dict[str, Any]]:
    return [node for node in ray.nodes() if node["Alive"]]


def names_of(ray: Any) -> dict[str, str]:
    """By Ray's id: the name of the machine, and where several have one name, part of the id."""
    nodes = _nodes(ray)
    hosts = [node["NodeManagerHostname"] for node in nodes]
    return {
        node["NodeID"]: host if hosts.count(host) == 1 else f"{host} ({node['NodeID'][:6]})"
        for node, host in zip(nodes, hosts, strict=True)
    }


def on_node(ray: Any, node: str) -> Any:
    """Ray's scheduling strategy for the node of this id and no other."""
    return ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy(node, soft=False)


def check_fits_somewhere(ray: Any, needs: Mapping[Step, Needs]) -> None:
    """Ray would wait for a larger machine for ever."""
    here = ray.get_runtime_context().get_node_id()
    problems: dict[tuple[Needs, str], Problem] = {}
    for step, needed in needs.items():
        able = [node["Resources"] for node in _nodes(ray) if not needed.here or node["NodeID"] == here]
        asked = {"CPU": needed.cpus, "GPU": needed.gpus, "memory": needed.memory}
        if not any(all(node.get(name, 0) >= amount for name, amount in asked.items()) for node in able):
            what = f"it needs {needed.cpus} CPUs, {needed.gpus} GPUs and {needed.memory / 1e9:.1f} GB of memory"
            place = (
                "the machine where the command was started does not have that" if needed.here else "no machine has that"
            )
            fix = "Set `numerics: {threads: ...}` lower in a new run, or add a larger machine."
            problems.setdefault((needed, place), Problem(str(step), f"{what}; {place}", fix))
    if problems:
        raise InputError(list(problems.values()))


def check_machines(ray: Any, job: Job, names: Mapping[str, str]) -> None:
    """Every machine is asked whether it finds the run, the model and the cases, in the same versions."""
    probe = ray.remote(num_cpus=0, max_retries=0)(problems_here)
    asked = {node: probe.options(scheduling_strategy=on_node(ray, node)).remote(job) for node in names}
    problems: dict[str, Problem] = {}
    for node, reference in asked.items():
        try:
            found: list[Problem] = ray.get(reference)
        except ray.exceptions.RayError as error:
            what = f"Preceptor cannot be started there ({type(error).__name__})"
            fix = "Install the same versions there, or take the machine out of the cluster."
            found = [Problem(f"machine {names[node]}", what, fix)]
        problems |= {str(one): one for one in found}
    if problems:
        raise InputError(list(problems.values()))
