"""Learning by example: the `sft` stage."""

from collections.abc import Sequence
from itertools import chain, islice
from pathlib import Path

import torch
from torch import Tensor, nn
from transformers import EarlyStoppingCallback

from preceptor.engine.cost import Cost, backward_factor, forward_flops
from preceptor.engine.losses import sft_loss
from preceptor.engine.parallel.shard import gathered, rank, refuse_unsharded
from preceptor.engine.settings import Numerics, SFTSettings
from preceptor.engine.training.arguments import training_arguments
from preceptor.engine.training.sharded_trainer import ShardedTrainer
from preceptor.engine.training.tracking import Tracking
from preceptor.engine.training.trainer import LookAtTheEnd, Stage, StepTrainer, run_stage
from preceptor.engine.tree.batches import endless_schedule, schedule, steps_per_epoch
from preceptor.engine.tree.deal import deal
from preceptor.engine.tree.layout import layout
from preceptor.engine.tree.limits import refuse_impossible
from preceptor.engine.tree.logprobs import answer_logprobs, idle_loss
from preceptor.engine.tree.sharing import shares_prefixes
from preceptor.models import Encoded, Policy
from preceptor.progress import Advance, quiet


def run_sft(
    policy: Policy,
    train: Sequence[Encoded],
    validation: Sequence[Encoded],
    settings: SFTSettings,
    numerics: Numerics,
    folder: Path,
    *,
    seed: int,
    flops: float | None = None,
    tracking: Tracking | None = None,
    advance: Advance = quiet,
) -> Stage:
    """Train `policy` in place on prompt -> answer, loss on the answer and its stop token only.

    Looks at `validation` (`looks_per_epoch` times, and after the last step) and ends with the weights of the best look;
    stops after `patience` looks without a better one. `folder` holds the checkpoints: an interrupted run continues
    from the newest.

    With `flops`, `policy` has been through the stage already and is trained on, from behind the last epoch of
    `settings`, for as many whole steps as it takes to spend them (looks come on top). All are taken, the last one is
    followed by a look, and the best look is kept. `tracking` says which tracker is told how it goes.
    Raises InputError for answers the model cannot learn.
    """
    refuse_impossible([*train, *validation], policy.model)
    refuse_unsharded(policy.model, numerics)
    share = shares_prefixes(policy)
    if flops is None:
        order = schedule(len(train), settings.batch_size, settings.epochs, seed)
    else:
        order = _order_worth(flops, policy.model, train, settings, numerics, seed, share=share)
    every = max(1, steps_per_epoch(len(train), settings.batch_size) // settings.looks_per_epoch)
    every = min(every, len(order))
    steps = [
        [(tree, _answer_tokens(step)) if tree else None for tree in _own_trees(step, numerics, turn=number)]
        for number, step in enumerate([train[i] for i in indices] for indices in order)
    ]

    def tree_loss(model: nn.Module, item: tuple[list[Encoded], int], cost: Cost) -> tuple[Tensor, dict[str, float]]:
        tree, tokens_in_step = item
        logprobs = torch.cat(answer_logprobs(model, tree, share=share, cost=cost))
        return sft_loss(logprobs) / tokens_in_step, {}

    def validate(cost: Cost) -> float:
        return validation_loss(policy.model, validation, numerics, share=share, cost=cost)

    trainer = (StepTrainer if numerics.processes == 1 else ShardedTrainer)(
        policy.model,
        training_arguments(settings, folder, seed=seed, steps=len(order), every=every, best=True),
        steps,
        tree_loss,
        validate,
        [LookAtTheEnd(), *([EarlyStoppingCallback(settings.patience)] if flops is None else [])],
        advance,
    )
    return run_stage(trainer, tracking)


def sft_steps(examples: int, settings: SFTSettings) -> int:
    """The most optimizer steps the stage can take."""
    return steps_per_epoch(examples, settings.batch_size) * settings.epochs


def sft_steps_worth(
    flops: float, policy: Policy, train: Sequence[Encoded], settings: SFTSettings, numerics: Numerics, *, seed: int
) -> int:
    """How many optimizer steps `run_sft` takes with `flops`."""
    share = shares_prefixes(policy)
    return len(_order_worth(flops, policy.model, train, settings, numerics, seed, share=share))


@torch.no_grad()
def validation_loss(
    model: nn.Module, examples: Sequence[Encoded], numerics: Numerics, *, share: bool, cost: Cost
) -> float:
    """Mean negative log-likelihood of an answer token over `examples`, in nats."""
    model.eval()
    total = 0.0
    for tree in _own_trees(examples, numerics):
        if tree:
            logprobs = answer_logprobs(model, tree, share=share, cost=cost)
            total += sum(float(sft_loss(one)) for one in logprobs)
        else:
            idle_loss(model)
    return sum(gathered(total)) / _answer_tokens(examples)


def _order_worth(
    flops: float,
    model: nn.Module,
    train: Sequence[Encoded],
    settings: SFTSettings,
    numerics: Numerics,
    seed: int,
    *,
    share: bool,
) -> list[list[int]]:
    """Indices of the examples of each step behind the stage's own, until the steps have cost `flops`."""
    order: list[list[int]] = []
    spent = 0.0
    steps = endless_schedule(len(train), settings.batch_size, seed)
    for indices in islice(steps, sft_steps(len(train), settings), None):
        trees = chain.from_iterable(_trees([train[i] for i in indices], numerics))
        spent += backward_factor(model) * sum(_tree_flops(model, tree, share=share) for tree in trees if tree)
        order.append(indices)
        if spent >= flops:
            break
    return order


def _tree_flops(model: nn.Module, tree: Sequence[Encoded], *, share: bool) -> float:
    """What `answer_logprobs` will count for one tree."""
    if not share:
        return forward_flops(model, sum(len(one.prompt + one.answer) for one in tree), _answer_tokens(tree))
    laid = layout([one.prompt + one.answer for one in tree])
    asked = (path[len(one.prompt) - 1 : -1] for path, one in zip(laid.paths, tree, strict=True))
    return forward_flops(model, len(laid), len({node for path in asked for node in path}))


def _trees(examples: Sequence[Encoded], numerics: Numerics) -> list[list[list[Encoded]]]:
    """The trees of each process; one without examples is for waiting."""
    return deal(examples, lambda e: [e.prompt + e.answer], numerics.tokens_per_tree, numerics.processes)


def _own_trees(examples: Sequence[Encoded], numerics: Numerics, *, turn: int = 0) -> list[list[Encoded]]:
    """Those of this process; at every turn they go one process further, so that none always has the most."""
    return _trees(examples, numerics)[(rank() + turn) % numerics.processes]


def _answer_tokens(examples: Sequence[Encoded]) -> int:
    return sum(len(example.answer) for example in examples)
