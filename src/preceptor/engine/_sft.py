"""Learning by example: the `sft` stage."""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn
from transformers import EarlyStoppingCallback

from preceptor.engine._arguments import training_arguments
from preceptor.engine._batches import schedule, split_into_trees, steps_per_epoch
from preceptor.engine._cost import Cost
from preceptor.engine._limits import refuse_impossible
from preceptor.engine._logprobs import answer_logprobs, can_share
from preceptor.engine._losses import sft_loss
from preceptor.engine._settings import Numerics, SFTSettings
from preceptor.engine._trainer import Stage, StepTrainer, run_stage
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
    advance: Advance = quiet,
) -> Stage:
    """Train `policy` in place on prompt -> answer, loss on the answer and its stop token only.

    Looks at `validation` (`looks_per_epoch` times) and ends with the weights of the best look; stops after `patience`
    looks without a better one. `folder` holds the checkpoints: an interrupted run continues from the newest.
    Raises InputError for answers the model cannot learn.
    """
    refuse_impossible([*train, *validation], policy.model)
    share = can_share(policy.model)
    total_steps = sft_steps(len(train), settings)
    every = max(1, steps_per_epoch(len(train), settings.batch_size) // settings.looks_per_epoch)
    steps = [
        [(tree, _answer_tokens(step)) for tree in _trees(step, numerics)]
        for step in (
            [train[i] for i in indices] for indices in schedule(len(train), settings.batch_size, settings.epochs, seed)
        )
    ]

    def tree_loss(model: nn.Module, item: tuple[list[Encoded], int], cost: Cost) -> tuple[Tensor, dict[str, float]]:
        tree, tokens_in_step = item
        logprobs = torch.cat(answer_logprobs(model, tree, share=share, cost=cost))
        return sft_loss(logprobs) / tokens_in_step, {}

    def validate(cost: Cost) -> float:
        return validation_loss(policy.model, validation, numerics, share=share, cost=cost)

    trainer = StepTrainer(
        policy.model,
        training_arguments(
            settings,
            folder,
            seed=seed,
            max_steps=total_steps,
            eval_strategy="steps",
            eval_steps=every,
            save_strategy="steps",
            save_steps=every,
            load_best_model_at_end=True,
            metric_for_best_model="eval_loss",
            greater_is_better=False,
        ),
        steps,
        tree_loss,
        validate,
        [EarlyStoppingCallback(early_stopping_patience=settings.patience)],
        advance,
    )
    return run_stage(trainer)


def sft_steps(examples: int, settings: SFTSettings) -> int:
    """The most optimizer steps the stage can take."""
    return steps_per_epoch(examples, settings.batch_size) * settings.epochs


@torch.no_grad()
def validation_loss(
    model: nn.Module, examples: Sequence[Encoded], numerics: Numerics, *, share: bool, cost: Cost
) -> float:
    """Mean negative log-likelihood of an answer token over `examples`, in nats."""
    model.eval()
    total = 0.0
    for tree in _trees(examples, numerics):
        total += sum(float(sft_loss(logprobs)) for logprobs in answer_logprobs(model, tree, share=share, cost=cost))
    return total / _answer_tokens(examples)


def _trees(examples: Sequence[Encoded], numerics: Numerics) -> list[list[Encoded]]:
    return split_into_trees(examples, lambda e: [e.prompt + e.answer], numerics.tokens_per_tree)


def _answer_tokens(examples: Sequence[Encoded]) -> int:
    return sum(len(example.answer) for example in examples)
