"""Learning by preference: the `dpo` stage. The reference is the policy as the stage finds it."""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from preceptor.engine.losses import dpo_loss, reward_margins, sft_loss
from preceptor.engine.parallel.shard import check_sharding
from preceptor.engine.settings import DPOSettings, Numerics
from preceptor.engine.training.reference import (
    EncodedPair,
    Gap,
    check_gap,
    pair_logprobs,
    reference_of_policy,
    sequences_of,
    sums,
)
from preceptor.engine.training.stage import Forward, Measuring, Stage, train
from preceptor.engine.training.trackers import Tracking
from preceptor.engine.tree.batches import schedule, steps_per_epoch
from preceptor.engine.tree.sequence_checks import check_sequences
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
    measuring: Measuring | None = None,
    tracking: Tracking | None = None,
    advance: Advance = quiet,
) -> Stage:
    """Train `policy` in place on pairs, with the policy it is now as the reference; see `train`.

    Evaluates the same loss and figures on the `validation` pairs, before the first step too, and ends with the weights
    of the best evaluation, which may be those it started from: with `measuring`, by score, unless the settings say
    `loss`; else by loss. With neither `validation` nor score it ends with the last weights. `eval_pair_accuracy` is the
    share of validation pairs whose chosen answer the policy itself finds likelier. The reference's log-probabilities
    are computed once, before the first step and on the trees of the steps, and cached in `reference_file` (in `folder`
    without one), where another run from the same policy finds them.
    Raises InputError for answers the model cannot learn, and when the policy is not its own reference.
    """
    everything = [*pairs, *validation]
    check_sequences([s for pair in everything for s in pair.sequences()], policy.model)
    check_sharding(policy.model, numerics)  # a forward pass leaves the outermost weights gathered
    batches = schedule(len(pairs), settings.batch_size, settings.epochs, seed)
    validated = range(len(pairs), len(everything))
    one_epoch = [*batches[: steps_per_epoch(len(pairs), settings.batch_size)], *([validated] if validation else [])]
    file = reference_file or folder / "reference.json"
    cached = reference_of_policy(policy, everything, one_epoch, numerics, file)
    reference = cached.logprobs

    def loss(forward: Forward, tree: Sequence[int], batch: Sequence[int]) -> tuple[Tensor, dict[str, float]]:
        """Of the pairs with these indices."""
        some = [everything[i] for i in tree]
        chosen, rejected = pair_logprobs(forward.model, some, share=forward.share, cost=forward.cost)
        of_reference = [reference[i] for i in tree]
        margins = _margins(chosen, rejected, of_reference, mean=settings.loss_type == "ipo")
        losses = dpo_loss(margins, settings.beta, settings.loss_type, settings.label_smoothing)
        loss = losses.sum() / len(batch)
        if settings.sft_weight:
            chosen_tokens = sum(len(everything[i].chosen) for i in batch)
            loss = loss + settings.sft_weight * sft_loss(torch.cat(chosen)) / chosen_tokens
        figures = _figures(sums(chosen).detach(), sums(rejected).detach(), of_reference, settings.beta)
        if batch is not validated:
            del figures["pair_accuracy"]
        figures = {name: total / len(batch) for name, total in figures.items()}
        if batch is batches[0]:
            figures["first_margin"] = _first_margin(chosen, rejected, of_reference) / len(batch)
        return loss, figures

    stage = train(
        policy,
        batches,
        loss,
        validated,
        settings,
        numerics,
        folder,
        seed=seed,
        sequences_of=lambda i: sequences_of(everything[i]),
        goes_on=True,
        measuring=measuring if settings.metric_for_best_model == "score" else None,
        tracking=tracking,
        advance=advance,
    )
    stage.cost = cached.cost + stage.cost
    stage.reference_gap = cached.gap
    stage.first_margin = next(row.pop("first_margin") for row in stage.history if "first_margin" in row)
    stage.reference_accuracy = sum(chosen > rejected for chosen, rejected in reference[: len(pairs)]) / len(pairs)
    return stage


def _figures(
    chosen: Tensor, rejected: Tensor, reference: Sequence[tuple[float, float]], beta: float
) -> dict[str, float]:
    """Sums over pairs, by TRL's names, and how many the policy itself orders rightly. Both tensors are [pairs]."""
    cached = torch.tensor(reference, device=chosen.device)
    of_chosen, of_rejected = beta * (chosen - cached[:, 0]), beta * (rejected - cached[:, 1])
    return {
        "rewards/chosen": float(of_chosen.sum()),
        "rewards/rejected": float(of_rejected.sum()),
        "rewards/margins": float((of_chosen - of_rejected).sum()),
        "rewards/accuracies": float((of_chosen > of_rejected).sum()),
        "logps/chosen": float(chosen.sum()),
        "logps/rejected": float(rejected.sum()),
        "pair_accuracy": float((chosen > rejected).sum()),
    }


def _first_margin(
    chosen: Sequence[Tensor], rejected: Sequence[Tensor], reference: Sequence[tuple[float, float]]
) -> float:
    """Sum of the pairs' absolute margins before the first step, in nats: 0 where the policy is its own reference.

    Raises InputError for a margin that rounding does not explain.
    """
    margins = _margins([one.detach() for one in chosen], [one.detach() for one in rejected], reference, mean=False)
    tokens = sum(map(len, (*chosen, *rejected)))
    check_gap(Gap(float(margins.abs().sum()) / tokens, float(margins.abs().max())))
    return float(margins.abs().sum())


def dpo_steps(pairs: int, settings: DPOSettings) -> int:
    """How many optimizer steps the stage takes."""
    return steps_per_epoch(pairs, settings.batch_size) * settings.epochs


def _margins(
    chosen: Sequence[Tensor], rejected: Sequence[Tensor], reference: Sequence[tuple[float, float]], *, mean: bool
) -> Tensor:
    """[pairs] reward margins without beta; with `mean`, of each answer's mean over its tokens."""
    cached = torch.tensor(reference, device=chosen[0].device)
    if not mean:
        return reward_margins(sums(chosen), sums(rejected), cached[:, 0], cached[:, 1])
    lengths = torch.tensor([[len(c), len(r)] for c, r in zip(chosen, rejected, strict=True)], device=cached.device)
    ours = torch.stack([sums(chosen), sums(rejected)], dim=1) / lengths
    cached = cached / lengths
    return reward_margins(ours[:, 0], ours[:, 1], cached[:, 0], cached[:, 1])
