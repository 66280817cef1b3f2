"""One training stage, whatever its loss: optimizer steps tree by tree, evaluations, checkpoints, resumption."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from transformers import TrainerCallback

from preceptor.engine.cost import Cost, side_by_side
from preceptor.engine.output_layer import float32_head
from preceptor.engine.parallel.shard import gathered
from preceptor.engine.settings import Numerics, TrainSettings
from preceptor.engine.training.arguments import training_arguments
from preceptor.engine.training.sharded_trainer import ShardedTrainer
from preceptor.engine.training.slot_checks import SlotChecks
from preceptor.engine.training.trackers import Tracking, followed
from preceptor.engine.training.trainer import EvaluateAtTheEnd, Patience, StepTrainer, step_of
from preceptor.engine.tree.batches import split_into_batches
from preceptor.engine.tree.logprobs import answer_logprobs, dummy_loss
from preceptor.engine.tree.rank_balance import own_trees
from preceptor.engine.tree.sharing import shares_prefixes
from preceptor.engine.tree.states import is_encoder, sequence_states, set_vectors
from preceptor.models import Encoded, Head, Policy
from preceptor.progress import Advance, quiet

Unit = TypeVar("Unit")
"""What is never parted between trees: an example, or a pair."""


@dataclass(frozen=True, slots=True)
class Forward:
    """The forward pass of the model that is trained, as a loss calls it; what it computes is added to `cost`."""

    model: nn.Module
    share: bool
    cost: Cost

    def states(self, sequences: Sequence[list[int]], head: Head, at: Sequence[int] | None = None) -> Tensor:
        """The state of each sequence that a head reads: [sequences, hidden_size], float32; see `sequence_states`.

        Where the head reads pieces, `sequences_of` of `train` gives them, `head.pieces(sequence)`.
        """
        return sequence_states(self.model, sequences, head, share=self.share, cost=self.cost, at=at)

    def set_vectors(self, sequences: Sequence[list[int]]) -> Tensor:
        """What a small net makes of sets of codes: [sequences, width], float32; see `set_vectors` of `tree/states`."""
        return set_vectors(self.model, sequences, self.cost)

    def answer_logprobs(self, sequences: Sequence[Encoded]) -> list[Tensor]:
        """Log-probability of every answer token: one [answer length] float32 tensor a sequence, in nats, in order."""
        return answer_logprobs(self.model, sequences, share=self.share, cost=self.cost)


Loss = Callable[[Forward, Sequence[Unit], Sequence[Unit]], tuple[Tensor, dict[str, float]]]
"""`loss(forward, tree, batch)`: what one tree adds to the loss of its batch, and figures to log.

tree: units that share a prefix tree; `forward.answer_logprobs` is called once, with the sequences of all of them.
batch: all units of the optimizer step, or all validation units, of which `tree` is a part; the object given to `train`.

Returns a scalar float32 tensor with a gradient, and figures by name. Both are summed over the trees of `batch`: a mean
divides by what the batch holds, not by what the tree holds.
"""


Measure = Callable[[Policy, Cost], dict[str, float]]
"""`measure(policy, cost)`: further figures of an evaluation, by name; what they take is added to `cost`."""

Measuring = Callable[[Policy, Cost], Measure]
"""Called with the policy as it is before the first step; gives what measures it at each evaluation."""


@dataclass(slots=True)
class Stage:
    """What a finished training stage leaves: its cost and the figures it logged.

    Of DPO's pairs, `reference_accuracy` is the share whose chosen answer the reference found likelier than the rejected
    one, and `first_margin` the mean absolute reward margin (without beta, in nats) of the first optimizer step, where
    the policy is still its own reference. `reference_gap`: see `Reference`. `learning`: how many numbers learned, by
    slot.
    """

    cost: Cost
    history: list[dict[str, float]]
    reference_accuracy: float | None = None
    first_margin: float | None = None
    reference_gap: float | None = None
    learning: dict[str, int] = field(default_factory=dict)
    kept_step: int = 0
    """The optimizer step behind which the weights are that were kept; 0 where those it started from were."""

    @property
    def delivered(self) -> dict[str, float]:
        """How much training there was, and what it came to by the figures of the evaluations: JSON values.

        dose: the sum of the learning rates of all steps, kept_dose: of those before the weights that were kept. AdamW
        moves no weight by much more than that. Figures are those of the kept weights, `at_start` of the policy before.
        """
        rates = [(row["step"], row["learning_rate"]) for row in self.history if "learning_rate" in row]
        looks = {row["step"]: row for row in self.history if any(name.startswith("eval_") for name in row)}
        found = {
            "steps": len(rates),
            "dose": sum(rate for _, rate in rates),
            "kept_step": self.kept_step,
            "kept_dose": sum(rate for step, rate in rates if step <= self.kept_step),
        }
        for name in ("eval_score", "eval_pair_accuracy", "eval_kl"):
            for which, step in ((f"{name}_at_start", 0), (name, self.kept_step)):
                if name in looks.get(step, {}):
                    found[which] = looks[step][name]
        return found


def train(
    policy: Policy,
    batches: Sequence[Sequence[Unit]],
    loss: Loss[Unit],
    validation: Sequence[Unit] | Callable[[Cost], float],
    settings: TrainSettings,
    numerics: Numerics,
    folder: Path,
    *,
    seed: int,
    sequences_of: Callable[[Unit], list[list[int]]],
    eval_steps: int | None = None,
    patience: int | None = None,
    min_steps: int = 0,
    goes_on: bool = False,
    measuring: Measuring | None = None,
    tracking: Tracking | None = None,
    advance: Advance = quiet,
) -> Stage:
    """Train `policy` in place by `loss`, one optimizer step for each of `batches`, in their order (see `schedule`).

    sequences_of: the token ids of a unit's sequences, by which units are packed into trees of `tokens_per_tree`, of an
    encoder into padded batches of as many.
    validation: units whose `loss` is evaluated, or a function that evaluates without gradients, adds its cost and
    returns the loss. Evaluations follow every `eval_steps` steps (`batches` are `settings.epochs` epochs, evaluated
    `looks_per_epoch` times each, where it is None) and the last step. What they find is logged with `eval_` in front:
    the loss and its figures. The best is that of the lowest loss; with `measuring`, whose figures are `eval_score` and
    others, that of the highest score, between equals of the lowest loss, then the earliest. The stage stops after
    `patience` of them, from `min_steps` on, without a better one, and ends with the weights of the best; with nothing
    to evaluate, with the last weights.
    goes_on: the policy was trained before, so the weights it starts from are evaluated too, as step 0, and kept when no
    later ones are better.

    `folder` holds the checkpoints: an interrupted stage, called with the same arguments, continues from the newest and
    ends with the same weights. `tracking` names the tracker that figures are sent to; `advance` counts steps.
    Raises InputError for a loss or gradient that is not finite.
    """
    share = shares_prefixes(policy)
    if eval_steps is None:
        eval_steps = max(1, len(batches) // settings.epochs // settings.looks_per_epoch)

    def trees(batch: Sequence[Unit], number: int = 0) -> list[Any]:
        """With the number of its batch, for Trainer copies batches; None where only other ranks have a tree."""
        if is_encoder(policy.model):  # which one process trains
            return [(some, number) for some in split_into_batches(batch, sequences_of, numerics.tokens_per_tree)]
        own = own_trees(batch, sequences_of, numerics, step=number)
        return [(tree, number) if tree else None for tree in own]

    def tree_loss(model: nn.Module, item: tuple[list[Unit], int], cost: Cost) -> tuple[Tensor, dict[str, float]]:
        tree, number = item
        return loss(Forward(model, share, cost), tree, batches[number])

    @torch.no_grad()
    def loss_and_figures(cost: Cost) -> dict[str, float]:
        if callable(validation):
            return {"eval_loss": validation(cost)}
        model = policy.model.eval()
        forward, sums = Forward(model, share, cost), {"loss": 0.0}
        for item in evaluated:
            part, figures = loss(forward, item[0], validation) if item else (dummy_loss(model), {})
            for name, value in {"loss": float(part), **figures}.items():
                sums[name] = sums.get(name, 0.0) + value
        every = gathered(sums)
        names = sorted(set().union(*every))
        return {f"eval_{name}": sum(one.get(name, 0.0) for one in every) for name in names}

    def evaluate(cost: Cost) -> dict[str, float]:
        found = loss_and_figures(cost) if evaluated or callable(validation) else {}
        return found | (measure(policy, cost) if measure else {})

    steps = [trees(batch, number) for number, batch in enumerate(batches)]
    evaluated = [] if callable(validation) else trees(validation)
    looks = bool(evaluated or measuring) or callable(validation)
    checks = SlotChecks(policy)
    callbacks: list[TrainerCallback] = [checks, *([EvaluateAtTheEnd()] if looks else [])]
    if patience is not None:
        callbacks.append(Patience(patience, min_steps))
    every = min(eval_steps, len(steps))
    trainer = (StepTrainer if numerics.processes == 1 else ShardedTrainer)(
        policy.model,
        training_arguments(
            settings,
            folder,
            seed=seed,
            steps=len(steps),
            every=every,
            best=("eval_score" if measuring else "eval_loss") if looks else None,
            start=goes_on and looks,
        ),
        steps,
        tree_loss,
        evaluate if looks else None,
        callbacks,
        advance,
    )
    beforehand = Cost()
    measure = measuring(policy, beforehand) if measuring else None
    stage = run_stage(trainer, tracking)
    beforehand.evaluation_flops = beforehand.flops
    stage.cost = side_by_side(gathered(beforehand)) + stage.cost
    checks.check_frozen()
    stage.learning = dict(policy.learning)
    return stage


def run_stage(trainer: StepTrainer, tracking: Tracking | None = None) -> Stage:
    """Train from the newest checkpoint, or from the start; figures are sent to the tracker of `tracking`."""
    checkpoint = trainer.resume()
    tracked = tracking if trainer.is_world_process_zero() else None
    model: Any = trainer.model
    if checkpoint is not None:
        trainer.args.eval_on_start = False
    with float32_head(model), followed(tracked, from_step=step_of(checkpoint) if checkpoint else None) as callbacks:
        for callback in callbacks:
            trainer.add_callback(callback)
        trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    trainer.lap()
    best = trainer.state.best_global_step
    kept = trainer.state.global_step if best is None else best
    return Stage(trainer.cost, trainer.state.log_history, kept_step=kept)
