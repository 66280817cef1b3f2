"""What short forms mean, learned from texts alone: MeDAL (Wen, Lu & Reddy 2020, arXiv 2012.13978), stage 1.

Long forms in texts are replaced by their short forms; a linear layer on the state of a short form's first token learns
which long form stood there, among all senses. What comes behind it, such as `classify`, starts from what the model
learned, with a head of its own. A causal model sees only what stands left of a short form.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor

from preceptor.data import could_be_told_apart, read_short_forms
from preceptor.engine import (
    Forward,
    Numerics,
    Stage,
    Tracking,
    TrainSettings,
    Work,
    is_encoder,
    label_loss,
    schedule,
    train,
    training_work,
)
from preceptor.errors import InputError, Problem
from preceptor.files import expanded
from preceptor.models import HEAD, Encoded, Policy, Slot, SlotSettings, heads_of, load_policy
from preceptor.progress import Advance
from preceptor.study.cases import TaskCases
from preceptor.study.expected_work import WorkContext
from preceptor.study.spec.stages import StageRef
from preceptor.study.spec.study import Study
from preceptor.study.stage_tree.stage_context import Context, Result, epochs
from preceptor.study.stages._corpus import CorpusSettings, corpus_problems, documents
from preceptor.study.stages._sense_cases import Asked, SenseCases, missing_field, sense_cases
from preceptor.study.stages._sense_figures import sense_figures, sense_outputs, told

title = "Senses"
explanation = "The model learns from texts alone what short forms mean, before it learns the task."
curves = ("loss", "eval_loss")
makes = "policy"
trains_head = True
own_head = "senses-head"


class Settings(CorpusSettings, TrainSettings):
    """Which texts become cases, how, and how they are learned. Every epoch is done; the weights with the lowest
    validation loss are kept.
    """

    field: str | None = Field(default=None, min_length=1)
    """Without a corpus: the field of the task whose texts are taken; by default all that a model is asked."""
    table: str | None = Field(default=None, min_length=1)
    """Short and long forms, in columns of these names, relative to the study file; by default the shipped table."""
    probability: float = Field(default=0.3, gt=0, le=1)
    """With which a long form is replaced."""
    stop: tuple[str, ...] = ()
    """Short and long forms that are left as they are, beside long forms that are an English stop word."""
    least: int = Field(default=15, ge=2)
    """The fewest training cases of a sense; a short form needs two such senses."""
    cases: int = Field(default=2000, ge=1)
    """About how many training cases are learned from: at most T of a sense, see `most_of_a_sense`."""
    window: int = Field(default=48, ge=8)
    """Tokens about a short form that the model is given."""
    shuffled: bool = False
    """The control: senses are exchanged among the cases of each short form, so that there is nothing to learn."""
    learning_rate: float = Field(default=5e-4, gt=0)
    batch_size: int = Field(default=16, ge=1)

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if self.corpus and self.field:
            raise ValueError("field is of the task's cases, and corpus names other texts; take one out")
        return self


def needs(stage: str) -> tuple[str, ...]:
    """Nothing but the policy before it, if there is one."""
    return ()


def problems(settings: Settings, base_folder: Path) -> list[Problem]:
    """What keeps the table or the corpus from being read, and a corpus in which no two senses can be told apart."""
    found = corpus_problems(settings, base_folder)
    try:
        forms = read_short_forms(base_folder / expanded(settings.table) if settings.table else None)
    except InputError as error:
        return found + error.problems
    if found or not settings.corpus:
        return found
    texts = (text for _, text in documents(settings, base_folder))
    if could_be_told_apart(texts, forms, settings.least):
        return []
    what = f"no short form of the table has two long forms that stand in the corpus {settings.least} times each"
    fix = "Name more texts, or a `table` of long forms that these texts write out, or lower `least`."
    return [Problem(str(settings.corpus), what, fix)]


def caution(stage: StageRef, study: Study, cases: TaskCases) -> Problem | None:
    """That the task has no such field, so that its arms will fail on it."""
    named = study.settings_of(stage, cases.entry).field
    return missing_field(cases.task, named, stage.name) if named else None


def data(context: Context) -> SenseCases:
    """Windows of tokens with the number of the sense that stood there, for training, validation and the figures."""
    return sense_cases(context)


def run(context: Context, data: SenseCases) -> Result:
    """Train head and slots together, then tell the senses of texts that nothing was learned from."""
    context = replace(context, slots=_with_outputs(context.slots, len(data.senses.names)))
    order = schedule(len(data.train), context.settings.batch_size, context.settings.epochs, context.seed)
    work = partial(
        train_senses,
        batches=[[data.train[i] for i in indices] for indices in order],
        validation=data.validation,
        settings=context.settings,
        numerics=context.numerics,
        folder=context.folder / "checkpoints",
        seed=context.seed,
        goes_on=bool(context.parents),
        tracking=context.tracking,
    )
    stage = context.tune(work, len(order))
    notes = {"sense_figures": {"shuffled": context.settings.shuffled, **data.counts, **_measured(context, data)}}
    return Result(stage.cost, stage.history, stage.learning, notes)


def train_senses(
    policy: Policy,
    batches: Sequence[Sequence[Asked]],
    validation: Sequence[Asked],
    settings: Settings,
    numerics: Numerics,
    folder: Path,
    *,
    seed: int,
    goes_on: bool,
    tracking: Tracking | None,
    advance: Advance,
) -> Stage:
    """Train `policy` in place by the cross-entropy of the right sense among all senses, in nats, mean over a batch."""

    def loss(forward: Forward, tree: Sequence[Asked], batch: Sequence[Asked]) -> tuple[Tensor, dict[str, float]]:
        layer = heads_of(forward.model)[own_head]
        logits = layer(forward.states([one.ids for one in tree], layer, [one.at for one in tree]))
        right = torch.tensor([one.sense for one in tree], device=logits.device)
        return label_loss(logits, right).sum() / len(batch), {}

    return train(
        policy,
        batches,
        loss,
        validation,
        settings,
        numerics,
        folder,
        seed=seed,
        sequences_of=lambda case: [case.ids],
        goes_on=goes_on,
        tracking=tracking,
        advance=advance,
    )


def _measured(context: Context, data: SenseCases) -> dict[str, Any]:
    policy = load_policy(context.source, context.folder, dtype=context.numerics.torch_dtype)
    outputs = sense_outputs(policy, data.test, own_head, context.numerics)
    return sense_figures(data.test, told(outputs, data.test, data.senses))


def _with_outputs(slots: Mapping[str, Slot], senses: int) -> dict[str, Slot]:
    """The stage's slots, its own head with an output for each sense."""
    head = SlotSettings(type=HEAD, outputs=senses, pool="mean")
    return {name: head if name == own_head else slot for name, slot in slots.items()}


def work(context: WorkContext) -> Work:
    """Every epoch over as many full windows as are asked for, and an evaluation after each; there may be fewer."""
    settings = context.settings
    length = min(settings.window, context.study.max_length)
    windows = [[Encoded([1 + number] * length, [])] for number in range(settings.cases)]
    tokens_per_tree = context.study.numerics.tokens_per_tree
    start = context.stage is not None and context.stage.after is not None
    shares, padded, evaluated = context.shares, is_encoder(context.model), windows[: max(1, len(windows) // 6)]
    return training_work(windows, evaluated, settings, tokens_per_tree, share=shares, padded=padded, start=start)


def how_trained(settings: Mapping[str, Any], adapter: str) -> str:
    """A sentence for a methods section."""
    source = "a corpus without held-out patients" if settings.get("corpus") else "the texts of training cases"
    control = ", exchanged among the cases of each short form as a control," if settings.get("shuffled") else ""
    what = f"together with {adapter}" if adapter else "alone"
    return (
        f"Long forms in {source} were replaced by short forms with a probability of {settings.get('probability')}, and "
        f"a linear layer on the hidden state of a short form's first token was trained {what} to give its sense"
        f"{control} among all senses, for {epochs(settings)} (learning rate {settings.get('learning_rate')}, batches "
        f"of {settings.get('batch_size')})."
    )
