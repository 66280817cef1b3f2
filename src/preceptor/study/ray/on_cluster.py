"""All that is left of a study, done by a cluster."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from preceptor.progress import progress
from preceptor.study.cases import Prepared
from preceptor.study.predictions.answering import seedless
from preceptor.study.ray.cluster import asks_for_token, cluster
from preceptor.study.ray.resources import check_fits_somewhere, check_machines, has_gpus, names_of, needs_of
from preceptor.study.ray.scheduler import Scheduler
from preceptor.study.ray.steps import remaining_steps
from preceptor.study.ray.worker import job_of
from preceptor.study.stage_tree.tree import StageTree


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
        names = names_of(ray)
        needs = {step: needs_of(tree, step, gpus=has_gpus(ray)) for step in steps}
        check_fits_somewhere(ray, needs)
        check_machines(ray, job, names)
        if not asks_for_token():
            console.print(
                "This cluster lets in whoever reaches it over the network; docs/CLUSTER.md says how to shut it."
            )
        machines = "1 machine" if len(names) == 1 else f"{len(names)} machines"
        console.print(f"{len(steps)} stages and arms' answers are left, for {machines}.")
        with progress("Stages and answers", len(steps), console) as advance:
            for cause in Scheduler(ray, job, steps, needs, names, console, advance).work():
                tree.failures[cause.part] = cause
                if not cause.part.answers_key and _answers_alike(tree, cause.part.arm):
                    tree.failures.update({replace(cause.part, seed=seed): cause for seed in tree.study.seeds})


def _answers_alike(tree: StageTree, arm: str) -> bool:
    """Whether this is an arm whose answers are the same with every seed; a failed stage may be of no arm's name."""
    return arm in tree.study.arm_names and seedless(tree.study, arm)
