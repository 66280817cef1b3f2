"""A classifier: a linear layer on the hidden states of a case learns its label (Devlin et al. 2019).

Which of them is its slot's `pool`: by default what the model was trained with, if its folder says so, else the state of
an encoder's first token and of a causal model's last.

It may also learn `toward` the states of another model (LEADER, Liu et al. 2024): to the loss comes, times a weight, the
mean square of P s - h over the numbers of h, where s is the state that the head reads of a case, h the other model's,
and P a linear layer, the projector. The projector learns with it and is then gone: it answers without.
"""

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from pydantic import Field
from torch import Tensor

from preceptor.engine import (
    Forward,
    LabelBalance,
    Numerics,
    Stage,
    Tracking,
    TrainSettings,
    Work,
    balanced_labels,
    is_encoder,
    label_loss,
    label_set_loss,
    schedule,
    train,
    training_work,
)
from preceptor.errors import Problem
from preceptor.models import HEAD, Policy, heads_of
from preceptor.progress import Advance
from preceptor.study.cases import Prepared, TaskCases
from preceptor.study.expected_work import WorkContext
from preceptor.study.score import gold_label
from preceptor.study.spec.stages import StageRef
from preceptor.study.spec.study import Study
from preceptor.study.stage_tree.stage_context import Context, Result, epochs
from preceptor.study.stages._projector import projector, state_distances, targets_of
from preceptor.tasks import Example

title = "Classifier"
explanation = "The model reads the case and a linear layer on what it made of it chooses the label; nothing is written."
curves = ("loss", "eval_loss")
makes = "policy"
answer = "head"
trains_head = True
learns_targets = True


class Settings(TrainSettings):
    """Learning labels. Stops early when `patience` evaluations in a row have not lowered the validation loss."""

    patience: int = Field(default=2, ge=1)
    label_balance: LabelBalance = Field(default="none", exclude_if=lambda balance: balance == "none")
    """As of `SFTSettings`."""


@dataclass(frozen=True, slots=True, repr=False)
class Labelled:
    """Token ids of a case, and the number of its label; of several labels 1 for each that it has, else 0."""

    prompt: list[int]
    label: int | list[int]


@dataclass(frozen=True, slots=True, repr=False)
class Taught(Labelled):
    """With the number of its state, of those that are learned toward."""

    number: int


Cases = tuple[list[Labelled], list[Labelled]]


def needs(stage: str) -> tuple[str, ...]:
    """Nothing but the policy before it, if there is one."""
    return ()


def unsupported_reason(stage: StageRef, prepared: Prepared) -> str | None:
    """It learns labels."""
    return None if prepared.task.labels or prepared.task.set_labels else "it gives labels only"


def caution(stage: StageRef, study: Study, cases: TaskCases) -> Problem | None:
    """That labels are to be balanced where a case has several."""
    if not cases.task.set_labels or study.settings_of(stage, cases.entry).label_balance == "none":
        return None
    what = f"label_balance of `{stage.name}` does nothing here: a case has several labels"
    return Problem(cases.where, what, "Expect no effect of it, or take it out.")


def data(context: Context) -> Cases:
    """Prompts of training and validation cases with the numbers of their right labels."""
    (task,) = context.tasks
    number = {label: i for i, label in enumerate(task.task.labels)}

    def right(example: Example) -> int | list[int]:
        if not task.task.set_labels:
            return number[gold_label(task.task, example)]
        has = task.task.label_set(example.target) or frozenset()
        return [int(label in has) for label in task.task.set_labels]

    def labelled(encoded: Sequence[Any], examples: Sequence[Example]) -> list[Labelled]:
        return [Labelled(one.prompt, right(example)) for one, example in zip(encoded, examples, strict=True)]

    return labelled(task.train, task.splits.train), labelled(task.validation, task.splits.validation)


def run(context: Context, data: Cases) -> Result:
    """Train head and slots together until the validation loss no longer improves."""
    order = schedule(len(data[0]), context.settings.batch_size, context.settings.epochs, context.seed)
    toward = targets_of(context)
    learned = [Taught(one.prompt, one.label, i) for i, one in enumerate(data[0])] if toward is not None else data[0]
    work = partial(
        train_classifier,
        batches=[[learned[i] for i in indices] for indices in order],
        validation=data[1],
        head=next(name for name, slot in context.slots.items() if slot.type == HEAD),
        settings=context.settings,
        numerics=context.numerics,
        folder=context.folder / "checkpoints",
        seed=context.seed,
        goes_on=bool(context.parents),
        tracking=context.tracking,
        toward=toward,
    )
    stage = context.tune(work, len(order))
    return Result(stage.cost, stage.history, stage.learning)


def train_classifier(
    policy: Policy,
    batches: Sequence[Sequence[Labelled]],
    validation: Sequence[Labelled],
    head: str,
    settings: Settings,
    numerics: Numerics,
    folder: Path,
    *,
    seed: int,
    goes_on: bool,
    tracking: Tracking | None,
    advance: Advance,
    toward: tuple[Tensor, float] | None = None,
) -> Stage:
    """Train `policy` in place by the cross-entropy of the right label, in nats, mean over the cases of a batch; of
    several labels by the binary cross-entropy of each, the mean over labels.

    toward: states [cases, numbers] that it also learns to come near, by the number of a `Taught` case, and their
    weight. Validation cases have none, so that the weights that are kept are chosen by the labels alone.
    """
    trained_on = torch.tensor([one.label for batch in batches for one in batch])
    pieces = heads_of(policy.model)[head].pieces

    def loss(forward: Forward, tree: Sequence[Labelled], batch: Sequence[Labelled]) -> tuple[Tensor, dict[str, float]]:
        layer = heads_of(forward.model)[head]
        states = forward.states([one.prompt for one in tree], layer)
        total = labels_loss(layer(states), tree) / len(batch)
        taught = [one.number for one in tree if isinstance(one, Taught)]
        if toward is None or not taught:
            return total, {}
        near = state_distances(forward.model, states, toward[0][taught]).sum() / len(batch)
        return total + toward[1] * near, {"toward": float(near.detach())}

    def labels_loss(logits: Tensor, tree: Sequence[Labelled]) -> Tensor:
        right = torch.tensor([one.label for one in tree], device=logits.device)
        if right.ndim == 2:
            return label_set_loss(logits, right).sum()
        logits, weights = balanced_labels(logits, right, trained_on, settings.label_balance)
        return (weights * label_loss(logits, right)).sum()

    width = heads_of(policy.model)[head].in_features
    with nullcontext() if toward is None else projector(policy.model, width, toward[0].shape[1], seed):
        return train(
            policy,
            batches,
            loss,
            validation,
            settings,
            numerics,
            folder,
            seed=seed,
            sequences_of=lambda case: pieces(case.prompt),
            patience=settings.patience,
            goes_on=goes_on,
            tracking=tracking,
            advance=advance,
        )


def work(context: WorkContext) -> Work:
    """Every epoch, and an evaluation after each; it may stop earlier."""
    train, validation = (
        context.read_by_head([case.prompt for case in part]) for part in (context.task.train, context.task.validation)
    )
    tokens_per_tree = context.study.numerics.tokens_per_tree
    start = context.stage is not None and context.stage.after is not None
    shares, padded = context.shares, is_encoder(context.model)
    return training_work(train, validation, context.settings, tokens_per_tree, share=shares, padded=padded, start=start)


def how_trained(settings: Mapping[str, Any], adapter: str) -> str:
    """A sentence for a methods section."""
    what = f"together with {adapter}" if adapter else "alone"
    return (
        f"A linear layer on the hidden state of a case was trained {what} to give its label, for at most "
        f"{epochs(settings)} (learning rate {settings.get('learning_rate')}, batches of "
        f"{settings.get('batch_size')}), and the weights with the lowest loss on validation cases were kept."
    )
