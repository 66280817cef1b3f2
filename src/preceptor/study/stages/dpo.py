"""Direct preference optimization (DPO; Rafailov et al. 2023): of two answers to a case, the better one is preferred."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from preceptor.engine import DPOSettings, EncodedPair, Work, as_look, dpo_steps, run_dpo, training_work, tree_work
from preceptor.errors import InputError, Problem
from preceptor.files import digest
from preceptor.models import load_tokenizer
from preceptor.preferences import find_maker
from preceptor.study.cases import TaskCases
from preceptor.study.expected_work import WorkContext
from preceptor.study.spec.stages import StageRef
from preceptor.study.spec.study import Study
from preceptor.study.stage_tree.stage_context import Context, Result, data_digest, epochs
from preceptor.study.stages._pair_cases import pair_cases
from preceptor.study.stages._pair_files import PAIRS, encode_pairs, read_pairs
from preceptor.study.stages._pair_work import expected_pairs, expected_work
from preceptor.study.stages._validation_answers import (
    SAMPLES,
    ValidationAnswers,
    answer_score,
    answers_work,
    best_by_score,
    validation_answers,
)

title = "DPO"
explanation = (
    "After SFT, direct preference optimization: the model also sees a wrong answer to each case and learns to prefer "
    "the right one."
)
curves = ("loss", "eval_loss", "rewards/margins", "rewards/accuracies")
makes = "policy"
Settings = DPOSettings
Pairs = tuple[list[EncodedPair], list[EncodedPair]]
Learned = tuple[list[EncodedPair], list[EncodedPair], ValidationAnswers | None]


def needs(stage: str) -> tuple[str, ...]:
    """Pairs of a better and a worse answer, made by the policy before it."""
    return ("pairs",)


def caution(stage: StageRef, study: Study, cases: TaskCases) -> Problem | None:
    """That its pairs say of bare labels what the cross-entropy over the labels says.

    For a right label y and a wrong one r, drawn with the policy's probability p_r, the slope of a pair's loss in the
    labels' scores is e_r - e_y but for a factor, and its mean over r is p - e_y: that of the cross-entropy.
    """
    pairs = stage.after
    assert pairs is not None
    given = pairs.source is None and all(one.rejected is not None for one in cases.splits.train)
    as_made = study.settings_of(pairs, cases.entry).order == "given"
    swaps = getattr(find_maker(pairs.source), "swaps_labels", False)
    if cases.task.answer.parser != "label" or given or not as_made or not swaps:
        return None
    what = (
        "an answer is a label and nothing else, so a pair of the right label and a wrong one says no more than the "
        "right label does: over the wrong labels, by their probabilities p, the mean gradient of such pairs is "
        "p - e_y, that of the cross-entropy over the labels, which SFT minimises already. DPO can only repeat it"
    )
    fix = (
        "Expect no gain over SFT that has settled. Answers with reasoning before the label, or votes of raters, give "
        "pairs that say more; else leave the arm out"
    )
    return Problem(f"{cases.where}, {stage.owner}", what, f"{fix}.")


def data(context: Context) -> Learned:
    """Training and validation pairs that fit into the context length, and what is scored, where a score decides.

    Raises `InputError` when there is no pair.
    """
    (train, validation), too_long = _fitting(context)
    if not train:
        raise InputError(_no_pair(context, too_long))
    return train, validation, validation_answers(context)


def run(context: Context, data: Learned) -> Result:
    """Train from the policy before it, which is the reference too."""
    pairs, validation, scored = data
    settings, numerics, seed = context.settings, context.numerics, context.seed
    trees = [settings.batch_size, seed]  # with the numerics, what the steps' trees depend on
    parent = context.parents[-1].policy.name
    reference = digest([parent, data_digest((pairs, validation)), trees, numerics.model_dump()])
    work = partial(
        run_dpo,
        pairs=pairs,
        validation=validation,
        settings=settings,
        numerics=numerics,
        folder=context.folder / "checkpoints",
        seed=seed,
        reference_file=context.run.reference(reference),
        measuring=answer_score(context, scored, SAMPLES),
        tracking=context.tracking,
    )
    stage = context.tune(work, dpo_steps(len(pairs), settings))
    notes = {
        "pairs_too_long": _fitting(context)[1],
        "ordered_rightly": stage.reference_accuracy,
        "first_margin": stage.first_margin,
        "reference_gap": stage.reference_gap,
        "delivered": stage.delivered,
    }
    return Result(stage.cost, stage.history, stage.learning, notes)


def how_trained(settings: Mapping[str, Any], adapter: str) -> str:
    """A sentence for a methods section."""
    best = best_by_score(settings) or "with the lowest loss on pairs of them"
    return (
        f"DPO went on from there for {epochs(settings)} (learning rate {settings.get('learning_rate')}, batches of "
        f"{settings.get('batch_size')}, loss {settings.get('loss_type')}, beta {settings.get('beta')}, weight of an "
        f"added SFT term {settings.get('sft_weight')}), with the SFT model as its reference. Of the SFT model's "
        f"weights and those at each evaluation on validation cases, it kept those {best}."
    )


def work(context: WorkContext) -> Work:
    """The reference, and steps over as many pairs as there are cases to make them of."""
    made_by = context.stage.after if context.stage else None
    assert made_by is not None
    making = context.study.settings_of(made_by, context.task.entry)
    cases = pair_cases(context.task, making.limit, 0, made_by.source)
    pairs = expected_pairs(cases, expected_work(context.task, cases, made_by.source, making.samples))
    train, validation = pairs[: cases.trained_on], pairs[cases.trained_on :]
    tokens_per_tree, share = context.study.numerics.tokens_per_tree, context.shares
    drawn, answers = answers_work(context, SAMPLES)
    training = training_work(
        train, validation, context.settings, tokens_per_tree, share=share, answers=answers, start=True
    )
    epochs = context.settings.epochs
    reference = [
        unit._replace(kind="score", repeats=unit.repeats / epochs) for unit in training if unit.kind == "train"
    ]
    return training + reference + tree_work("score", validation, tokens_per_tree, share=share) + as_look(drawn)


def _no_pair(context: Context, too_long: int) -> Problem:
    """Why there is nothing to train on: pairs that are `too_long`, if there are any, else a maker that made none."""
    if too_long:
        what, remedy = "no training case gave a pair of answers that fits", "Raise `max_length`"
    else:
        what, remedy = "the maker made no usable pair of any training case", "Name another maker in `makers`"
    fix = f"{remedy}, give rejected answers in the data, or leave {context.stage.owner} out of `arms`."
    source = context.stage.after.source if context.stage.after else None
    where = f"task {context.task.task.name}" + (f", maker {source}" if source else "")
    return Problem(where, f"{what}, so there is nothing to prefer", fix)


def _fitting(context: Context) -> tuple[Pairs, int]:
    """The pairs that the stage before it made, as token ids, and how many to train on did not fit."""
    tokenizer, longest = load_tokenizer(context.source), context.study.max_length
    made, held_out = read_pairs(context.parents[-1].folder / PAIRS, context.task)
    train, too_long = encode_pairs(context.task, made, tokenizer, longest)
    validation, _ = encode_pairs(context.task, held_out, tokenizer, longest)
    return (train, validation), too_long
