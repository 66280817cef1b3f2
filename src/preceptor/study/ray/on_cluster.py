"""All that is left of a study, done by a cluster: Ray orders the steps, and begins again those that it lost."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from socket import gethostname
from typing import Any

from rich.console import Console
from rich.markup import escape

from preceptor.errors import InputError, PreceptorError, Problem
from preceptor.progress import Advance, progress
from preceptor.study.cases import Prepared
from preceptor.study.predictions.answering import seedless
from preceptor.study.ray.cluster import cluster
from preceptor.study.ray.steps import Needs, Step, needs_of, remaining_steps
from preceptor.study.ray.worker import Job, do, job_of, problems_here
from preceptor.study.run.failures import Cause, Part, out_of_reach
from preceptor.study.stage_tree.tree import StageTree

_RETRIES = 3
"""How often a step begins again, from its checkpoint, after its process or its machine was lost."""


def work_on_ray(tree: StageTree, tasks: Sequence[Prepared], base_folder: Path, address: str, console: Console) -> None:
    """Do all that is left of the study on the cluster at `address`; its results then only need to be put together.

    Why steps failed is noted in the tree's `failures`, where that costs only what rests on them. Raises what any
    other step raised, or `InputError` when a machine cannot work on the study.
    """
    steps = remaining_steps(tree, tasks)
    if not steps:
        console.print("Everything was trained and answered already; only the results are computed again.")
        return
    job = job_of(tree, tasks, base_folder)
    with cluster(address) as ray:
        gpus = ray.cluster_resources().get("GPU", 0) >= 1
        needs = {step: needs_of(tree, step, gpus=gpus) for step in steps}
        nodes = [node for node in ray.nodes() if node["Alive"]]
        _check_fits_somewhere(ray, nodes, needs)
        _check_machines(ray, nodes, job)
        if os.environ.get("RAY_AUTH_MODE", "").lower() != "token":  # Ray itself sets it where it finds a token
            fix = "docs/CLUSTER.md says how to shut it"
            console.print(f"This cluster lets in whoever reaches it over the network; {fix}.")
        machines = "1 machine" if len(nodes) == 1 else f"{len(nodes)} machines"
        console.print(f"{len(steps)} stages and arms' answers are left, for {machines}.")
        with progress("Stages and answers", len(steps), console) as advance:
            _work(ray, tree, job, needs, console, advance)


def _check_fits_somewhere(ray: Any, nodes: Sequence[dict[str, Any]], needs: Mapping[Step, Needs]) -> None:
    """Ray would wait for a larger machine for ever."""
    here = ray.get_runtime_context().get_node_id()
    problems: dict[Needs, Problem] = {}
    for step, need in needs.items():
        able = [node["Resources"] for node in nodes if not need.here or node["NodeID"] == here]
        asked = {"CPU": need.cpus, "GPU": need.gpus, "memory": need.memory}
        if not any(all(has.get(name, 0) >= amount for name, amount in asked.items()) for has in able):
            what = f"it needs {need.cpus} CPUs, {need.gpus} GPUs and {need.memory / 1e9:.1f} GB of memory"
            where = "the machine where the command was started does not have" if need.here else "no machine has"
            fix = "Set `numerics: {threads: ...}` lower in a new run, or add a larger machine."
            problems.setdefault(need, Problem(str(step.part), f"{what}; {where} that", fix))
    if problems:
        raise InputError(list(problems.values()))


def _check_machines(ray: Any, nodes: Sequence[dict[str, Any]], job: Job) -> None:
    """Every machine is asked whether it finds the run, the model and the cases, in the same versions."""
    probe = ray.remote(num_cpus=0, max_retries=0)(problems_here)
    asked = [probe.options(scheduling_strategy=_on_node(ray, node["NodeID"])).remote(job) for node in nodes]
    problems: list[Problem] = []
    for node, reference in zip(nodes, asked, strict=True):
        try:
            found: list[Problem] = ray.get(reference)
        except ray.exceptions.RayError as error:
            what = f"Preceptor cannot be started there ({type(error).__name__})"
            found = [Problem("Ray", what, "Install the same versions there, or take the machine out of the cluster.")]
        machine = f"machine {node['NodeManagerHostname']} ({node['NodeID'][:6]})"
        problems += [replace(one, where=f"{machine}, {one.where}") for one in found]
    if problems:
        raise InputError(problems)


def _on_node(ray: Any, node: str) -> Any:
    """Ray's scheduling strategy for the node of this id and no other."""
    return ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy(node, soft=False)


def _work(ray: Any, tree: StageTree, job: Job, needs: Mapping[Step, Needs], console: Console, advance: Advance) -> None:
    """Have every step done, each as soon as what it needs is, and show how far they are. Whenever this ends, all do.

    Raises what a step raised, unless that costs only what rests on it.
    """
    reports, waiting = _submit(ray, job, needs)
    shares, places, failed = dict[str, float](), dict[str, str](), set[Part]()
    try:
        while waiting:
            ready, _ = ray.wait([*waiting], timeout=0.5)  # one, and the first of those that are
            before = sum(shares.values())
            for name, place, share in reports.get_nowait_batch(reports.qsize()):
                if share == 0.0:
                    begins = "goes on, now" if name in places else "runs"
                    console.print(escape(f"{name}: {begins} on {place}"), highlight=False)
                    places[name] = place
                shares[name] = max(share, shares.get(name, 0.0))
            for step in map(waiting.pop, ready):
                name = str(step.part)
                shares[name], place = 1.0, places.get(name, "a machine of the cluster")
                if failed.isdisjoint(step.after) and (cause := _cause(ray, ready[0], step.part, place)):
                    failed.add(step.part)
                    console.print(escape(f"{name}, on {place}, failed: {cause.reason}."), highlight=False)
                    seeds = tree.study.seeds if step.stage is None and seedless(tree.study, step.part.arm) else ()
                    tree.failures.update({replace(cause.part, seed=seed): cause for seed in (cause.part.seed, *seeds)})
            advance(sum(shares.values()) - before)
    finally:
        for result in reversed(waiting):  # what waits for others first, so that none of it begins
            ray.cancel(result, force=True)


def _submit(ray: Any, job: Job, needs: Mapping[Step, Needs]) -> tuple[Any, dict[Any, Step]]:
    """Hand all steps to Ray, which begins each when it has the results of those that it needs.

    Returns a queue of (name of a step, machine, share that is done, 0 where it begins), and the steps by their results.
    """
    from ray.util.queue import Queue

    here = _on_node(ray, ray.get_runtime_context().get_node_id())
    reports = Queue(actor_options={"num_cpus": 0, "scheduling_strategy": here})
    task, results = ray.remote(max_retries=_RETRIES)(_do_in_task), dict[Part, Any]()
    for step, need in needs.items():
        takes = {"num_cpus": need.cpus, "num_gpus": need.gpus, "memory": need.memory}
        options = {"name": str(step.part), "scheduling_strategy": here if need.here else "SPREAD"}
        before = [results[part] for part in step.after]
        results[step.part] = task.options(**takes, **options).remote(job, step, reports, *before)
    return reports, {results[step.part]: step for step in needs}


def _do_in_task(job: Job, step: Step, reports: Any, *before: Cause | None) -> Cause | None:
    """What runs in a worker. `before`: what came of the steps that this one needs."""
    import ray

    if any(before):
        return None  # whoever waits knows that this one rests on what failed
    place = f"{gethostname()} ({ray.get_runtime_context().get_node_id()[:6]})"

    def report(share: float) -> None:
        reports.actor.put_nowait.remote((str(step.part), place, share))  # nobody waits for it

    report(0.0)
    return do(job, step, report)


def _cause(ray: Any, result: Any, part: Part, place: str) -> Cause | None:
    """Why a step failed, if that costs only what rests on it. Raises what else went wrong with it."""
    try:
        cause: Cause | None = ray.get(result)
        return cause
    except ray.exceptions.OutOfMemoryError:
        return out_of_reach(part, f"{place} had too little memory for it, again and again")
    except (ray.exceptions.WorkerCrashedError, ray.exceptions.NodeDiedError):
        times = f"its process was lost {_RETRIES + 1} times, last on {place} (often: too little memory)"
        return out_of_reach(part, times)
    except ray.exceptions.RayError as error:
        match getattr(error, "cause", None):
            case OSError() as found:
                raise found from None
            case InputError() as found:
                raise InputError([replace(one, where=f"{place}, {one.where}") for one in found.problems]) from None
            case PreceptorError() as found:
                raise type(found)(f"{part}, on {place}: {found}") from None
        what = f"{part}, on {place}: Ray could not bring it to its end ({type(error).__name__})"
        raise PreceptorError(f"{what}. The same command goes on from the checkpoint.") from None
