"""Learning by preference: the `dpo` stage. The reference is the policy as the stage finds it."""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from preceptor.engine.cost import Cost
from preceptor.engine.losses import dpo_loss, reward_margins, sft_loss
from preceptor.engine.parallel.shard import gathered, refuse_unsharded
from preceptor.engine.settings import DPOSettings, Numerics
from preceptor.engine.training.arguments import training_arguments
from preceptor.engine.training.reference import (
    EncodedPair,
    Gap,
    own_pair_trees,
    pair_logprobs,
    reference_of_policy,
    refuse_gap,
    sums,
)
from preceptor.engine.training.sharded_trainer import ShardedTrainer
from preceptor.engine.training.tracking import Tracking
from preceptor.engine.training.trainer import LookAtTheEnd, Stage, StepTrainer, run_stage
from preceptor.engine.tree.batches import schedule, steps_per_epoch
from preceptor.engine.tree.limits import refuse_impossible
from preceptor.engine.tree.logprobs import idle_loss
from preceptor.engine.tree.sharing import shares_prefixes
from preceptor.models import Policy
from preceptor.progress import Advance, quiet


def run_dpo(
    policy: Policy,
    pairs: Sequence[EncodedPair],
    validation: Sequence[EncodedPair],
    settings: DPOSettings,
    numerics: Numerics,
    folder: Path,
    *,
    seed: int,
    reference_file: Path | None = None,
    tracking: Tracking | None = None,
    advance: Advance = quiet,
) -> Stage:
    """Train `policy` in place on pairs, with the policy it is now as the reference.

    Looks at the same loss on the `validation` pairs (`looks_per_epoch` times, and after the last step) and ends with
    the weights of the best look; without such pairs, with the last weights. The reference's log-probabilities are
    computed once, before the first step and on the trees of the steps, and kept in `reference_file` (in `folder`
    without one), where another run from the same policy finds them. `folder` holds the checkpoints: an interrupted run
    continues from the newest. `tracking` says which tracker is told how it goes.
    Raises InputError for answers the model cannot learn, and when the policy is not its own reference.
    """
    everything = [*pairs, *validation]
    refuse_impossible([s for pair in everything for s in pair.sequences()], policy.model)
    refuse_unsharded(policy.model, numerics)
    share = shares_prefixes(policy)
    order = schedule(len(pairs), settings.batch_size, settings.epochs, seed)
    to_look_at = range(len(pairs), len(everything))
    one_epoch = [*order[: steps_per_epoch(len(pairs), settings.batch_size)], *([to_look_at] if validation else [])]
    file = reference_file or folder / "reference.json"
    kept = reference_of_policy(policy, everything, one_epoch, numerics, file)
    reference = kept.logprobs

    def trees(step: Sequence[int], turn: int = 0) -> list[tuple[list[int], int, int] | None]:
        """The indices of each tree's pairs, with how many pairs and chosen tokens the whole step has.

        None: other processes have a tree, and this one waits.
        """
        chosen_tokens = sum(len(everything[i].chosen) for i in step)
        own = own_pair_trees(everything, step, numerics, turn=turn)
        return [(tree, len(step), chosen_tokens) if tree else None for tree in own]

    steps = [trees(step, turn) for turn, step in enumerate(order)]
    looked_at = trees(to_look_at) if validation else []

    def tree_loss(model: nn.Module, item: tuple[list[int], int, int], cost: Cost) -> tuple[Tensor, dict[str, float]]:
        tree, pairs_in_step, chosen_tokens_in_step = item
        some = [everything[i] for i in tree]
        chosen, rejected = pair_logprobs(model, some, share=share, cost=cost)
        margins = _margins(chosen, rejected, [reference[i] for i in tree], mean=settings.loss_type == "ipo")
        losses = dpo_loss(margins, settings.beta, settings.loss_type, settings.label_smoothing)
        loss = losses.sum() / pairs_in_step
        if settings.sft_weight:
            loss = loss + settings.sft_weight * sft_loss(torch.cat(chosen)) / chosen_tokens_in_step
        figures = {
            "rewards/margins": float(settings.beta * margins.detach().sum()) / pairs_in_step,
            "rewards/accuracies": float((margins.detach() > 0).sum()) / pairs_in_step,
        }
        if trainer.state.global_step == 0:
            figures["first_margin"] = _first_margin(chosen, rejected, [reference[i] for i in tree]) / pairs_in_step
        return loss, figures

    @torch.no_grad()
    def validate(cost: Cost) -> float:
        model = policy.model.eval()
        losses = [tree_loss(model, item, cost)[0] if item else idle_loss(model) for item in looked_at]
        return sum(gathered(sum(map(float, losses))))

    every = min(len(steps), max(1, steps_per_epoch(len(pairs), settings.batch_size) // settings.looks_per_epoch))
    trainer = (StepTrainer if numerics.processes == 1 else ShardedTrainer)(
        policy.model,
        training_arguments(settings, folder, seed=seed, steps=len(steps), every=every, best=bool(validation)),
        steps,
        tree_loss,
        validate if validation else None,
        [LookAtTheEnd()] if validation else [],
        advance,
    )
    stage = run_stage(trainer, tracking)
    stage.cost = kept.cost + stage.cost
    stage.reference_gap = kept.gap
    stage.first_margin = next(row.pop("first_margin") for row in stage.history if "first_margin" in row)
    stage.ordered_rightly = sum(chosen > rejected for chosen, rejected in reference[: len(pairs)]) / len(pairs)
    return stage


def _first_margin(
    chosen: Sequence[Tensor], rejected: Sequence[Tensor], reference: Sequence[tuple[float, float]]
) -> float:
    """Sum of the pairs' absolute margins before the first step, in nats: 0 where the policy is its own reference.

    Raises InputError for a margin that rounding does not explain.
    """
    margins = _margins([one.detach() for one in chosen], [one.detach() for one in rejected], reference, mean=False)
    tokens = sum(map(len, (*chosen, *rejected)))
    refuse_gap(Gap(float(margins.abs().sum()) / tokens, float(margins.abs().max())))
    return float(margins.abs().sum())


def dpo_steps(pairs: int, settings: DPOSettings) -> int:
    """How many optimizer steps the stage takes."""
    return steps_per_epoch(pairs, settings.batch_size) * settings.epochs


def _margins(
    chosen: Sequence[Tensor], rejected: Sequence[Tensor], reference: Sequence[tuple[float, float]], *, mean: bool
) -> Tensor:
    """[pairs] reward margins without beta; with `mean`, of each answer's mean over its tokens."""
    kept = torch.tensor(reference, device=chosen[0].device)
    if not mean:
        return reward_margins(sums(chosen), sums(rejected), kept[:, 0], kept[:, 1])
    lengths = torch.tensor([[len(c), len(r)] for c, r in zip(chosen, rejected, strict=True)], device=kept.device)
    ours = torch.stack([sums(chosen), sums(rejected)], dim=1) / lengths
    kept = kept / lengths
    return reward_margins(ours[:, 0], ours[:, 1], kept[:, 0], kept[:, 1])
