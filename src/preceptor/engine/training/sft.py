"""Learning by example: the `sft` stage, and its continuation for a budget of floating-point operations."""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from preceptor.engine.cost import Cost
from preceptor.engine.losses import sft_loss
from preceptor.engine.parallel.shard import check_sharding, gathered
from preceptor.engine.settings import Numerics, SFTSettings
from preceptor.engine.training import stage
from preceptor.engine.training.flops_budget import answer_tokens, schedule_worth, token_ids
from preceptor.engine.training.trackers import Tracking
from preceptor.engine.tree.batches import schedule, steps_per_epoch
from preceptor.engine.tree.logprobs import answer_logprobs, dummy_loss
from preceptor.engine.tree.rank_balance import own_trees
from preceptor.engine.tree.sequence_checks import check_sequences
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
) -> stage.Stage:
    """Train `policy` in place on prompt -> answer, loss on the answer and its stop token only; see `train`.

    Evaluates on `validation` and ends with the weights of the lowest loss; stops after `patience` evaluations without a
    lower one.

    With `flops`, `policy` has been through the stage already and is trained on, from behind the last epoch of
    `settings`, for as many whole steps as it takes to spend them (evaluations come on top). All are taken, the last one
    is followed by an evaluation, and the best weights are kept.
    Raises InputError for answers the model cannot learn.
    """
    check_sharding(policy.model, numerics)
    check_sequences([*train, *validation], policy.model)
    if flops is None:
        order = schedule(len(train), settings.batch_size, settings.epochs, seed)
    else:
        order = schedule_worth(flops, policy, train, settings, numerics, seed=seed)

    def loss(
        forward: stage.Forward, tree: Sequence[Encoded], batch: Sequence[Encoded]
    ) -> tuple[Tensor, dict[str, float]]:
        return sft_loss(torch.cat(forward.answer_logprobs(tree))) / answer_tokens(batch), {}

    def validate(cost: Cost) -> float:
        return validation_loss(policy.model, validation, numerics, share=shares_prefixes(policy), cost=cost)

    return stage.train(
        policy,
        [[train[i] for i in indices] for indices in order],
        loss,
        validate,
        settings,
        numerics,
        folder,
        seed=seed,
        sequences_of=token_ids,
        eval_steps=max(1, steps_per_epoch(len(train), settings.batch_size) // settings.looks_per_epoch),
        patience=settings.patience if flops is None else None,
        tracking=tracking,
        advance=advance,
    )


def sft_steps(examples: int, settings: SFTSettings) -> int:
    """The most optimizer steps the stage can take."""
    return steps_per_epoch(examples, settings.batch_size) * settings.epochs


@torch.no_grad()
def validation_loss(
    model: nn.Module, examples: Sequence[Encoded], numerics: Numerics, *, share: bool, cost: Cost
) -> float:
    """Mean negative log-likelihood of an answer token over `examples`, in nats; sums over examples in float64."""
    model.eval()
    total = 0.0
    for tree in own_trees(examples, token_ids, numerics):
        if tree:
            logprobs = answer_logprobs(model, tree, share=share, cost=cost)
            total += sum(float(sft_loss(one)) for one in logprobs)
        else:
            dummy_loss(model)
    return sum(gathered(total)) / answer_tokens(examples)
