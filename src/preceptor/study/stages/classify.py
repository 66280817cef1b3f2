"""A classifier: a linear layer on the hidden states of a case learns its label (Devlin et al. 2019).

Which of them is its slot's `pool`: by default what the model was trained with, if its folder says so, else the state of
an encoder's first token and of a causal model's last.

It may also learn `toward` the states of another model (LEADER, Liu et al. 2024): to the loss comes, times a weight, the
mean square of P s - h over the numbers of h, where s is the state that the head reads of a case, h the other model's,
and P a linear layer, the projector. The projector learns with it and is then gone: it answers without. And a small net
may `align` a patient's profile with the drugs of a case: see `_alignment`.
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
from preceptor.study.spec.stage_entry import Toward
from preceptor.study.spec.stages import StageRef
from preceptor.study.spec.study import Study
from preceptor.study.stage_tree.stage_context import Context, Result, epochs
from preceptor.study.stages._alignment import (
    Align,
    Alignment,
    aligning,
    alignment_loss,
    alignment_of,
    alignment_work,
)
from preceptor.study.stages._alignment_checks import alignment_problems, profile_problems, unaligned_drugs
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
    align: Align | None = Field(default=None, exclude_if=lambda align: align is None)
    """That a patient's profile learns to stand for the drugs of a case; of small nets alone."""


@dataclass(frozen=True, slots=True, repr=False)
class Labelled:
    """Token ids of a case, and the number of its label; of several labels 1 for each that it has, else 0."""

    prompt: list[int]
    label: int | list[int]


@dataclass(frozen=True, slots=True, repr=False)
class Taught(Labelled):
    """With its number, by which it finds its state, of those that are learned toward, and the sets that it aligns."""

    number: int


Cases = tuple[list[Labelled], list[Labelled]]


def needs(stage: str) -> tuple[str, ...]:
    """Nothing but the policy before it, if there is one."""
    return ()


def unsupported_reason(stage: StageRef, prepared: Prepared) -> str | None:
    """It learns labels."""
    return None if prepared.task.labels or prepared.task.set_labels else "it gives labels only"


def caution(stage: StageRef, study: Study, cases: TaskCases) -> Problem | None:
    """That labels are to be balanced where a case has several, and that drugs are not aligned."""
    if unaligned := unaligned_drugs(stage, study, cases):
        return unaligned
    if not cases.task.set_labels or study.settings_of(stage, cases.entry).label_balance == "none":
        return None
    what = f"label_balance of `{stage.name}` does nothing here: a case has several labels"
    return Problem(cases.where, what, "Expect no effect of it, or take it out.")


def refused(stage: StageRef, study: Study, cases: TaskCases) -> list[Problem]:
    """What it cannot align, and profiles that it may not be shown."""
    return [*profile_problems(stage, study, cases), *alignment_problems(stage, study, cases)]


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
    toward, alignment = targets_of(context), alignment_of(context)
    learned = [Taught(one.prompt, one.label, i) for i, one in enumerate(data[0])] if toward or alignment else data[0]
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
        alignment=alignment,
    )
    stage = context.tune(work, len(order))
    notes = {"aligned_cases": len(alignment.sets)} if alignment else {}
    return Result(stage.cost, stage.history, stage.learning, notes)


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
    alignment: Alignment | None = None,
) -> Stage:
    """Train `policy` in place by the cross-entropy of the right label, in nats, mean over the cases of a batch; of
    several labels by the binary cross-entropy of each, the mean over labels.

    toward: states [cases, numbers] that it also learns to come near, by the number of a `Taught` case, and their
    weight. alignment: what it aligns, by the same number, over the cases of a batch. Validation cases have neither, so
    that the weights that are kept are chosen by the labels alone.
    """
    trained_on = torch.tensor([one.label for batch in batches for one in batch])
    pieces = heads_of(policy.model)[head].pieces

    def loss(forward: Forward, tree: Sequence[Labelled], batch: Sequence[Labelled]) -> tuple[Tensor, dict[str, float]]:
        layer = heads_of(forward.model)[head]
        states = forward.states([one.prompt for one in tree], layer)
        total = labels_loss(layer(states), tree) / len(batch)
        taught, figures = [one.number for one in tree if isinstance(one, Taught)], {}
        if toward is not None and taught:
            near = state_distances(forward.model, states, toward[0][taught]).sum() / len(batch)
            total, figures["toward"] = total + toward[1] * near, float(near.detach())
        numbers = [one.number for one in batch if isinstance(one, Taught)]
        if (
            alignment is not None and numbers[:1] and numbers[0] in taught
        ):  # once a batch, whatever trees it is cut into
            apart = alignment_loss(forward, alignment, numbers)
            total, figures["align"] = total + alignment.settings.weight * apart, float(apart.detach())
        return total, figures

    def labels_loss(logits: Tensor, tree: Sequence[Labelled]) -> Tensor:
        right = torch.tensor([one.label for one in tree], device=logits.device)
        if right.ndim == 2:
            return label_set_loss(logits, right).sum()
        logits, weights = balanced_labels(logits, right, trained_on, settings.label_balance)
        return (weights * label_loss(logits, right)).sum()

    width = heads_of(policy.model)[head].in_features
    beside = nullcontext() if toward is None else projector(policy.model, width, toward[0].shape[1], seed)
    with beside, aligning(policy.model, alignment, seed):
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
    own = training_work(train, validation, context.settings, tokens_per_tree, share=shares, padded=padded, start=start)
    return own + alignment_work(context)


def how_trained(settings: Mapping[str, Any], adapter: str) -> str:
    """A sentence for a methods section."""
    what = f"together with {adapter}" if adapter else "alone"
    return (
        f"A linear layer on the hidden state of a case was trained {what} to give its label, for at most "
        f"{epochs(settings)} (learning rate {settings.get('learning_rate')}, batches of "
        f"{settings.get('batch_size')}), and the weights with the lowest loss on validation cases were kept."
        + _beside_labels(settings)
    )


def _beside_labels(settings: Mapping[str, Any]) -> str:
    """What else was learned, as sentences behind; "" where nothing was."""
    said = ""
    if toward := settings.get("toward"):
        toward = Toward.model_validate(toward)
        whose = "those of other patients" if toward.permute else "their own"
        said += f" It also learned to come near the states of {toward.states} ({whose}; weight {toward.weight:g})."
    if settings.get("align") is not None:
        align = Align.model_validate(settings["align"])
        said += (
            " The vector of a patient's profile was aligned with that of the drugs to be given by a contrastive loss "
            f"over the cases of a batch (weight {align.weight:g}, temperature {align.temperature:g})."
        )
    return said
