"""Learning by preference: the `dpo` stage. The reference is the policy as the stage finds it."""

import math
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from preceptor.engine._arguments import training_arguments
from preceptor.engine._batches import schedule, steps_per_epoch
from preceptor.engine._cost import Cost
from preceptor.engine._limits import refuse_impossible
from preceptor.engine._logprobs import can_share, idle_loss
from preceptor.engine._losses import dpo_loss, reward_margins, sft_loss
from preceptor.engine._parallel import gathered, refuse_unsharded
from preceptor.engine._reference import EncodedPair, cached_reference, own_pair_trees, pair_logprobs, sums
from preceptor.engine._settings import DPOSettings, Numerics
from preceptor.engine._sharded_trainer import ShardedTrainer
from preceptor.engine._tracking import Tracking
from preceptor.engine._trainer import LookAtTheEnd, Stage, StepTrainer, run_stage
from preceptor.errors import PreceptorError
from preceptor.models import Policy
from preceptor.progress import Advance, quiet

_MARGIN_TOLERANCE = {"float32": 1e-4, "bfloat16": 0.1}
"""A token, in nats: rounding that differs with the tree adds up like a random walk over an answer."""


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
    computed once, before the first step, and kept in `reference_file` (in `folder` without one), where another run
    from the same policy finds them. `folder` holds the checkpoints: an interrupted run continues from the newest.
    `tracking` says which tracker is told how it goes.
    Raises InputError for answers the model cannot learn.
    """
    everything = [*pairs, *validation]
    refuse_impossible([s for pair in everything for s in pair.sequences()], policy.model)
    refuse_unsharded(policy.model, numerics)
    share = can_share(policy.model)
    file = reference_file or folder / "reference.json"
    reference, reference_cost = cached_reference(policy, everything, numerics, file, share=share)

    def trees(step: Sequence[int], turn: int = 0) -> list[tuple[list[int], int, int] | None]:
        """The indices of each tree's pairs, with how many pairs and chosen tokens the whole step has.

        None: other processes have a tree, and this one waits.
        """
        chosen_tokens = sum(len(everything[i].chosen) for i in step)
        own = own_pair_trees(everything, step, numerics, turn=turn)
        return [(tree, len(step), chosen_tokens) if tree else None for tree in own]

    order = schedule(len(pairs), settings.batch_size, settings.epochs, seed)
    steps = [trees(step, turn) for turn, step in enumerate(order)]
    looked_at = trees(range(len(pairs), len(everything))) if validation else []

    def tree_loss(model: nn.Module, item: tuple[list[int], int, int], cost: Cost) -> tuple[Tensor, dict[str, float]]:
        tree, pairs_in_step, chosen_tokens_in_step = item
        some = [everything[i] for i in tree]
        chosen, rejected = pair_logprobs(model, some, share=share, cost=cost)
        margins = _margins(chosen, rejected, [reference[i] for i in tree], mean=settings.loss_type == "ipo")
        if trainer.state.global_step == 0:
            _assert_no_margin(chosen, rejected, [reference[i] for i in tree], numerics, file)
        losses = dpo_loss(margins, settings.beta, settings.loss_type, settings.label_smoothing)
        loss = losses.sum() / pairs_in_step
        if settings.sft_weight:
            loss = loss + settings.sft_weight * sft_loss(torch.cat(chosen)) / chosen_tokens_in_step
        return loss, {
            "rewards/margins": float(settings.beta * margins.detach().sum()) / pairs_in_step,
            "rewards/accuracies": float((margins.detach() > 0).sum()) / pairs_in_step,
        }

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
    stage.cost = reference_cost + stage.cost
    stage.ordered_rightly = sum(chosen > rejected for chosen, rejected in reference[: len(pairs)]) / len(pairs)
    return stage


def _assert_no_margin(
    chosen: Sequence[Tensor],
    rejected: Sequence[Tensor],
    reference: Sequence[tuple[float, float]],
    numerics: Numerics,
    file: Path,
) -> None:
    """In the first step the policy is its own reference: a margin that is not 0 means that one of the two is wrong."""
    margins = _margins([one.detach() for one in chosen], [one.detach() for one in rejected], reference, mean=False)
    longest = max(len(c) + len(r) for c, r in zip(chosen, rejected, strict=True))
    margin = float(margins.abs().max())
    if not margin <= _MARGIN_TOLERANCE[numerics.dtype] * math.sqrt(longest):
        raise PreceptorError(
            f"DPO's reward margin before the first step is {margin:.4f} and must be 0: "
            f"the cached reference does not belong to this policy. Delete {file.name} and run again."
        )


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
