"""Learning by example: the `sft` stage, and its continuation for a budget of floating-point operations."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from preceptor.engine.cost import Cost
from preceptor.engine.losses import sft_loss
from preceptor.engine.parallel.shard import check_sharding, gathered
from preceptor.engine.settings import Numerics, SFTSettings
from preceptor.engine.training import stage
from preceptor.engine.training.flops_budget import SFTExample, answer_tokens, schedule_worth, sequences, token_ids
from preceptor.engine.training.label_choice import EncodedChoice, choice_loss
from preceptor.engine.training.trackers import Tracking
from preceptor.engine.tree.batches import schedule, steps_per_epoch
from preceptor.engine.tree.logprobs import answer_logprobs, dummy_loss
from preceptor.engine.tree.rank_balance import own_trees
from preceptor.engine.tree.sequence_checks import check_sequences
from preceptor.engine.tree.sharing import shares_prefixes
from preceptor.models import Encoded, Policy
from preceptor.progress import Advance, quiet

_CONTINUED_RATE = 0.5
"""The peak of continued SFT's learning rate, of SFT's: its rate had come down to 0, and at the full one again the model
unlearns at first what it then has to learn once more."""


def run_sft(
    policy: Policy,
    train: Sequence[SFTExample],
    validation: Sequence[SFTExample],
    settings: SFTSettings,
    numerics: Numerics,
    folder: Path,
    *,
    seed: int,
    flops: float | None = None,
    goes_on: bool = False,
    measuring: stage.Measuring | None = None,
    tracking: Tracking | None = None,
    advance: Advance = quiet,
) -> stage.Stage:
    """Train `policy` in place on prompt -> answer, loss on the answer and its stop token only; see `train`.

    All examples are `Encoded`, whose loss is the mean negative log-likelihood of an answer token, or all are of labels
    to choose from, with the loss of `choice_loss`.

    Evaluates that loss on `validation` and ends with the weights of the lowest; stops after `patience` evaluations
    without a lower one. goes_on: the policy was trained before, and may be kept as it is. measuring: the best is by
    score, if that is the settings' `metric_for_best_model`.

    With `flops`, `policy` has been through the stage already and is trained on, from behind the last epoch of
    `settings`, for as many whole steps as it takes to spend them (evaluations come on top). All are taken, the last one
    is followed by an evaluation, and the best weights are kept, which may be those it starts from. The learning rate
    peaks at half of that in `settings`.
    Raises InputError for answers the model cannot learn.
    """
    check_sharding(policy.model, numerics)
    check_sequences([one for example in (*train, *validation) for one in sequences(example)], policy.model)
    if flops is None:
        order = schedule(len(train), settings.batch_size, settings.epochs, seed)
    else:
        rate = _CONTINUED_RATE * settings.learning_rate
        settings = settings.model_copy(update={"learning_rate": rate})
        order = schedule_worth(flops, policy, train, settings, numerics, seed=seed)

    loss, evaluated = _objective(policy, train, validation, settings, numerics)
    return stage.train(
        policy,
        [[train[i] for i in indices] for indices in order],
        loss,
        evaluated,
        settings,
        numerics,
        folder,
        seed=seed,
        sequences_of=token_ids,
        eval_steps=max(1, steps_per_epoch(len(train), settings.batch_size) // settings.looks_per_epoch),
        patience=settings.patience if flops is None else None,
        min_steps=settings.min_steps,
        goes_on=goes_on or flops is not None,
        measuring=measuring if settings.metric_for_best_model == "score" else None,
        tracking=tracking,
        advance=advance,
    )


def _objective(
    policy: Policy,
    train: Sequence[SFTExample],
    validation: Sequence[SFTExample],
    settings: SFTSettings,
    numerics: Numerics,
) -> tuple[stage.Loss[Any], Any]:
    """The loss, and what evaluates the same on `validation`."""
    if choices := [one for one in train if isinstance(one, EncodedChoice)]:
        return choice_loss(choices, settings), validation

    def loss(
        forward: stage.Forward, tree: Sequence[Encoded], batch: Sequence[Encoded]
    ) -> tuple[Tensor, dict[str, float]]:
        return sft_loss(torch.cat(forward.answer_logprobs(tree))) / answer_tokens(batch), {}

    texts = [one for one in validation if isinstance(one, Encoded)]

    def validate(cost: Cost) -> float:
        return validation_loss(policy.model, texts, numerics, share=shares_prefixes(policy), cost=cost)

    return loss, validate


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
