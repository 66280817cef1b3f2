"""Learning by preference: the `dpo` stage. The reference is the policy as the stage finds it."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor, nn

from preceptor.engine._arguments import training_arguments
from preceptor.engine._batches import schedule, split_into_trees, steps_per_epoch
from preceptor.engine._cost import Cost, timed
from preceptor.engine._logprobs import answer_logprobs, can_share
from preceptor.engine._losses import dpo_loss, reward_margins, sft_loss
from preceptor.engine._settings import DPOSettings, Numerics
from preceptor.engine._trainer import Stage, StepTrainer, run_stage
from preceptor.errors import PreceptorError
from preceptor.files import write_json
from preceptor.models import Encoded, Policy
from preceptor.progress import Advance, quiet

_MARGIN_TOLERANCE = {"float32": 1e-3, "bfloat16": 0.5}


@dataclass(frozen=True, slots=True)
class EncodedPair:
    """A prompt with a chosen and a rejected answer, as token ids. Both answers end with the stop token."""

    prompt: list[int] = field(repr=False)
    chosen: list[int] = field(repr=False)
    rejected: list[int] = field(repr=False)

    def sequences(self) -> list[Encoded]:
        """The chosen and the rejected answer, each under the prompt."""
        return [Encoded(self.prompt, self.chosen), Encoded(self.prompt, self.rejected)]


def run_dpo(
    policy: Policy,
    pairs: Sequence[EncodedPair],
    settings: DPOSettings,
    numerics: Numerics,
    folder: Path,
    *,
    seed: int,
    advance: Advance = quiet,
) -> Stage:
    """Train `policy` in place on pairs, with the policy it is now as the reference.

    The reference's log-probabilities are computed once, before the first step, and kept in `folder`, so no second
    model is held. `folder` also holds the checkpoints: an interrupted run continues from the newest.
    """
    share = can_share(policy.model)
    reference, reference_cost = cached_reference(policy, pairs, numerics, folder, share=share)
    steps = [
        [(tree, len(step), sum(len(pairs[i].chosen) for i in step)) for tree in _trees(pairs, step, numerics)]
        for step in schedule(len(pairs), settings.batch_size, settings.epochs, seed)
    ]

    def tree_loss(model: nn.Module, item: tuple[list[int], int, int], cost: Cost) -> tuple[Tensor, dict[str, float]]:
        tree, pairs_in_step, chosen_tokens_in_step = item
        chosen, rejected = _pair_logprobs(model, [pairs[i] for i in tree], share=share, cost=cost)
        kept = torch.tensor([reference[i] for i in tree], device=chosen[0].device)
        margins = reward_margins(_sums(chosen), _sums(rejected), kept[:, 0], kept[:, 1])
        loss = dpo_loss(margins, settings.beta).sum() / pairs_in_step
        if settings.sft_weight:
            loss = loss + settings.sft_weight * sft_loss(torch.cat(chosen)) / chosen_tokens_in_step
        return loss, {
            "rewards/margins": float(settings.beta * margins.detach().sum()) / pairs_in_step,
            "rewards/accuracies": float((margins.detach() > 0).sum()) / pairs_in_step,
        }

    trainer = StepTrainer(
        policy.model,
        training_arguments(
            settings,
            folder,
            seed=seed,
            max_steps=len(steps),
            save_strategy="steps",
            save_steps=max(1, steps_per_epoch(len(pairs), settings.batch_size) // settings.saves_per_epoch),
        ),
        steps,
        tree_loss,
        None,
        [],
        advance,
    )
    stage = run_stage(
        trainer,
        before_first_step=lambda: _assert_margins_zero(policy, pairs, steps[0][0][0], reference, numerics, share),
    )
    stage.cost = reference_cost + stage.cost
    return stage


def dpo_steps(pairs: int, settings: DPOSettings) -> int:
    """How many optimizer steps the stage takes."""
    return steps_per_epoch(pairs, settings.batch_size) * settings.epochs


def cached_reference(
    policy: Policy, pairs: Sequence[EncodedPair], numerics: Numerics, folder: Path, *, share: bool
) -> tuple[list[tuple[float, float]], Cost]:
    """Summed log-probability of each pair's chosen and rejected answer under the untouched policy, in nats."""
    file = folder / "reference.json"
    if file.exists():
        kept = json.loads(file.read_text(encoding="utf-8"))
        return [tuple(row) for row in kept["logprobs"]], Cost(**kept["cost"])
    logprobs: list[tuple[float, float]] = [(0.0, 0.0)] * len(pairs)
    policy.model.eval()
    with timed() as cost, torch.no_grad():
        for tree in _trees(pairs, range(len(pairs)), numerics):
            chosen, rejected = _pair_logprobs(policy.model, [pairs[i] for i in tree], share=share, cost=cost)
            for i, c, r in zip(tree, _sums(chosen).tolist(), _sums(rejected).tolist(), strict=True):
                logprobs[i] = (c, r)
    write_json(file, {"logprobs": logprobs, "cost": cost.to_json()})
    return logprobs, cost


def _assert_margins_zero(
    policy: Policy,
    pairs: Sequence[EncodedPair],
    tree: Sequence[int],
    reference: Sequence[tuple[float, float]],
    numerics: Numerics,
    share: bool,
) -> None:
    """At step 0 the policy is its own reference: a margin that is not 0 means that one of the two is wrong."""
    policy.model.eval()
    with torch.no_grad():
        chosen, rejected = _pair_logprobs(policy.model, [pairs[i] for i in tree], share=share, cost=None)
    kept = torch.tensor([reference[i] for i in tree], device=chosen[0].device)
    margins = reward_margins(_sums(chosen), _sums(rejected), kept[:, 0], kept[:, 1])
    margin = float(margins.abs().max())
    if not margin <= _MARGIN_TOLERANCE[numerics.dtype]:
        raise PreceptorError(
            f"DPO's reward margin before the first step is {margin:.4f} and must be 0: "
            "the cached reference does not belong to this policy. Delete the stage's folder and run again."
        )


def _pair_logprobs(
    model: nn.Module, pairs: Sequence[EncodedPair], *, share: bool, cost: Cost | None
) -> tuple[list[Tensor], list[Tensor]]:
    logprobs = answer_logprobs(model, [s for pair in pairs for s in pair.sequences()], share=share, cost=cost)
    return logprobs[0::2], logprobs[1::2]


def _sums(logprobs: Sequence[Tensor]) -> Tensor:
    return torch.stack([one.sum() for one in logprobs])


def _trees(pairs: Sequence[EncodedPair], which: Sequence[int], numerics: Numerics) -> list[list[int]]:
    return split_into_trees(
        which, lambda i: [s.prompt + s.answer for s in pairs[i].sequences()], numerics.tokens_per_tree
    )
