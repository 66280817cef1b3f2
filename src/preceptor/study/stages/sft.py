"""Supervised fine-tuning (SFT): the model learns to write the right answers, token by token, or to choose labels."""

from collections.abc import Mapping
from functools import partial
from math import ceil
from typing import Any

from preceptor.engine import (
    SFTExample,
    SFTSettings,
    Work,
    flops_of,
    look_work,
    run_sft,
    sft_steps,
    sft_steps_worth,
    times,
    training_work,
)
from preceptor.errors import Problem
from preceptor.study.cases import TaskCases
from preceptor.study.expected_work import WorkContext
from preceptor.study.spec.stages import StageRef
from preceptor.study.spec.study import Study
from preceptor.study.stage_tree.stage_context import Context, Result, epochs
from preceptor.study.stages import _learned
from preceptor.study.stages._validation_answers import (
    ValidationAnswers,
    answer_score,
    answers_work,
    best_by_score,
    validation_answers,
)

title = "SFT"
explanation = "Supervised fine-tuning: the model learns from cases with their right answers."
curves = ("loss", "eval_loss")
makes = "policy"
goes_on = True
Settings = SFTSettings
FEWEST_STEPS_OF_LABELS = 100
"""On 96 validation cases of triage_provider, macro-F1 was .18 after 64 steps and .75 after 160 (SmolLM2-135M, 256 cases
in batches of 8, rate 1e-3)."""
FEWEST_STEPS_OF_TEXT = 40
Cases = tuple[list[SFTExample], list[SFTExample]] | tuple[list[SFTExample], list[SFTExample], ValidationAnswers]


def needs(stage: str) -> tuple[str, ...]:
    """Nothing but the policy before it."""
    return ()


def caution(stage: StageRef, study: Study, cases: TaskCases) -> Problem | None:
    """That a setting has no effect on the task, or that training ends before much can have been learnt."""
    return _learned.caution(stage, study, cases) or _too_few_steps(stage, study, cases)


def _too_few_steps(stage: StageRef, study: Study, cases: TaskCases) -> Problem | None:
    """None where it goes on for the compute of another stage, whose steps are counted there."""
    settings, examples = study.settings_of(stage, cases.entry), len(cases.splits.train)
    of_labels = _learned.chooses(cases.task, settings)
    fewest = FEWEST_STEPS_OF_LABELS if of_labels else FEWEST_STEPS_OF_TEXT
    steps = sft_steps(examples, settings)
    if stage.budget or steps >= fewest:
        return None
    learnt = "choosing labels" if of_labels else "writing answers"
    needed = ceil(fewest * settings.epochs / steps)
    what = f"`{stage.name}` takes {steps} optimizer steps at most, and {learnt} has taken about {fewest} or more"
    fix = f"Give it more cases to train on, or {needed} epochs; else it may fail at what it had no time to learn."
    return Problem(f"{cases.where}, {stage.name}", what, fix)


def inputs(context: Context) -> dict[str, Any]:
    """Its settings; those of labels only where the task has labels to choose from."""
    return _learned.settings_that_matter(context.settings, [one.task for one in context.tasks])


def data(context: Context) -> Cases:
    """Training and validation cases with what is learned of each, as token ids; what is scored, if a score decides."""
    train, validation = (
        [
            case
            for task in context.tasks
            for case in _learned.learned(task, getattr(task, part), getattr(task.splits, part), context.settings)
        ]
        for part in ("train", "validation")
    )
    scored = validation_answers(context)
    return (train, validation, scored) if scored else (train, validation)


def run(context: Context, data: Cases) -> Result:
    """Train until validation no longer improves, or for the compute in `context.budget`."""
    (train, validation, *scored), settings, numerics, seed = data, context.settings, context.numerics, context.seed
    steps = sft_steps(len(train), settings)
    if context.budget is not None:
        steps = sft_steps_worth(context.budget, context.start(), train, settings, numerics, seed=seed)
    work = partial(
        run_sft,
        train=train,
        validation=validation,
        settings=settings,
        numerics=numerics,
        folder=context.folder / "checkpoints",
        seed=seed,
        flops=context.budget,
        goes_on=bool(context.parents),
        measuring=answer_score(context, scored[0] if scored else None),
        tracking=context.tracking,
    )
    stage = context.tune(work, steps)
    return Result(stage.cost, stage.history, stage.learning, {"delivered": stage.delivered})


def how_trained(settings: Mapping[str, Any], adapter: str) -> str:
    """A sentence for a methods section."""
    best = best_by_score(settings) or "with the lowest loss on validation cases"
    return (
        f"SFT tuned {adapter} on the right answers for at most {epochs(settings)} (learning rate "
        f"{settings.get('learning_rate')}, batches of {settings.get('batch_size')}) and kept the weights {best}."
        + _learned.loss_in_words(settings)
    )


def work(context: WorkContext) -> Work:
    """Every epoch; or as much as takes the compute that is spent, in training alone. It may stop earlier."""
    train, validation = (
        _learned.sequences(context.task, part, context.settings)
        for part in (context.task.train, context.task.validation)
    )
    tokens_per_tree, share = context.study.numerics.tokens_per_tree, context.shares
    _, answers = answers_work(context)
    whole = training_work(train, validation, context.settings, tokens_per_tree, share=share, answers=answers)
    if context.spent is not None:
        whole = times(whole, context.spent / flops_of([unit for unit in whole if unit.kind == "train"], context.model))
    trained_before = context.stage is not None and context.stage.after is not None
    return whole + (look_work(validation, tokens_per_tree, share=share, answers=answers) if trained_before else [])
