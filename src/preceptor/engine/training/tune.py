"""A stage from start to end: a policy is made, tuned and saved, in this process or in several together."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Protocol

from torch.distributed.device_mesh import init_device_mesh

from preceptor.engine.parallel.processes import in_processes
from preceptor.engine.parallel.shard import gathered, learned_weights, rank, shard
from preceptor.engine.settings import Numerics
from preceptor.engine.training.stage import Stage
from preceptor.engine.tree.sharing import shares_prefixes
from preceptor.errors import InputError, Problem
from preceptor.models import Policy, compute_device, save_policy
from preceptor.progress import Advance


class Run(Protocol):
    """`run_sft`, `run_dpo` or another call of `train`, with everything but the policy given."""

    def __call__(self, policy: Policy, *, advance: Advance) -> Stage:
        """Tune the policy in place."""


def tune(start: Callable[[], Policy], run: Run, folder: Path, numerics: Numerics, advance: Advance) -> Stage:
    """Make a policy, tune it and save it in `folder`, with as many processes as the numerics say.

    With more than one, `start` and `run` are pickled and every process calls them; this one holds no model.
    """
    if numerics.processes > 1:
        return in_processes(partial(one_of_several, start, run, folder, numerics), numerics, advance)
    policy = start()
    stage = run(policy, advance=advance)
    save_policy(policy, folder)
    return stage


def one_of_several(start: Callable[[], Policy], run: Run, folder: Path, numerics: Numerics, advance: Advance) -> Stage:
    """The work of each process: the whole model is loaded, then sharded."""
    policy = start()
    if not shares_prefixes(policy):
        what = "this model's own code does not take prefix trees, so processes cannot share it"
        raise InputError(Problem("numerics: processes", what, "Set it to 1."))
    shard(policy.model, init_device_mesh(compute_device().type, (numerics.processes,)))
    stage = run(policy, advance=advance)
    weights = learned_weights(policy.model)
    if rank() == 0:
        save_policy(policy, folder, weights)
    stage.cost.peak_memory_bytes = max(gathered(stage.cost.peak_memory_bytes))
    return stage
