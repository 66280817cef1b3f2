"""SFT on the chosen answers of preference pairs: what corrected examples alone achieve, without what is rejected."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from preceptor.engine import SFTExample, SFTSettings, Work, run_sft, sft_steps, training_work
from preceptor.errors import InputError, Problem
from preceptor.models import Encoded, load_tokenizer
from preceptor.preferences import Pair
from preceptor.study.expected_work import WorkContext
from preceptor.study.stage_tree.stage_context import Context, Result, epochs
from preceptor.study.stages import _learned
from preceptor.study.stages._pair_cases import pair_cases
from preceptor.study.stages._pair_files import PAIRS, encode_pairs, read_pairs
from preceptor.study.stages._validation_answers import (
    ValidationAnswers,
    answer_score,
    answers_work,
    best_by_score,
    validation_answers,
)
from preceptor.tasks import INVALID

title = "SFT on chosen"
explanation = (
    "After SFT, more of it on the better answers of the pairs that DPO learns from, without the worse ones: what "
    "corrected examples achieve by themselves."
)
curves = ("loss", "eval_loss")
makes = "policy"
Settings = SFTSettings
caution = _learned.caution
Cases = tuple[list[SFTExample], list[SFTExample], ValidationAnswers | None]


def needs(stage: str) -> tuple[str, ...]:
    """Pairs of a better and a worse answer, made by the policy before it."""
    return ("pairs",)


def inputs(context: Context) -> dict[str, Any]:
    """Its settings; those of labels only where the task has labels to choose from."""
    return _learned.settings_that_matter(context.settings, [context.task.task])


def data(context: Context) -> Cases:
    """The chosen answers of the training and of the validation pairs that DPO has, behind the same prompts; what is
    scored, where a score decides.

    Raises `InputError` when there is none to learn from, or none to choose the checkpoint by.
    """
    task, made = context.task, read_pairs(context.parents[-1].folder / PAIRS, context.task)
    train, validation = _choices(context, made) or _texts(context, made)
    if not train or not validation:
        part = "validation" if train else "training"
        fix = f"Name another maker in `makers`, raise `max_length`, or leave {context.stage.owner} out of `arms`."
        raise InputError(Problem(f"task {task.task.name}", f"no {part} case has a pair whose chosen answer fits", fix))
    return train, validation, validation_answers(context)


def _choices(context: Context, made: Sequence[Sequence[Pair]]) -> list[list[SFTExample]]:
    """Of both parts the chosen labels, to choose again; nothing where a chosen answer is none of them."""
    task = context.task
    texts = [[pair.chosen for pair in part] for part in made]
    labels = [[task.task.parse(text) for text in part] for part in texts]
    if not _learned.chooses(task.task, context.settings) or any(INVALID in part for part in labels):
        return []
    cases = zip((*task.splits.train, *task.splits.validation), (*task.train, *task.validation), strict=True)
    prompt = {example.id: encoded.prompt for example, encoded in cases}
    prompts = [[prompt[pair.example_id] for pair in part] for part in made]
    return [_learned.choices(task, *both) for both in zip(prompts, labels, strict=True)]


def _texts(context: Context, made: Sequence[Sequence[Pair]]) -> list[list[SFTExample]]:
    """Of both parts the chosen answers that fit, to write again."""
    tokenizer, longest = load_tokenizer(context.source), context.study.max_length
    encoded = [encode_pairs(context.task, part, tokenizer, longest)[0] for part in made]
    return [[Encoded(pair.prompt, pair.chosen) for pair in part] for part in encoded]


def run(context: Context, data: Cases) -> Result:
    """Train until validation no longer improves; the policy that it starts from may be kept."""
    train, validation, scored = data
    work = partial(
        run_sft,
        train=train,
        validation=validation,
        settings=context.settings,
        numerics=context.numerics,
        folder=context.folder / "checkpoints",
        seed=context.seed,
        goes_on=True,
        measuring=answer_score(context, scored),
        tracking=context.tracking,
    )
    stage = context.tune(work, sft_steps(len(train), context.settings))
    return Result(stage.cost, stage.history, stage.learning, {"delivered": stage.delivered})


def how_trained(settings: Mapping[str, Any], adapter: str) -> str:
    """A sentence for a methods section."""
    best = best_by_score(settings) or "with the lowest loss on the chosen answers of validation pairs"
    return (
        f"SFT on chosen went on from SFT with the chosen answers of the same pairs, for at most {epochs(settings)} "
        f"(learning rate {settings.get('learning_rate')}, batches of {settings.get('batch_size')}), and kept the "
        f"weights {best}, those it started from among them." + _learned.loss_in_words(settings)
    )


def work(context: WorkContext) -> Work:
    """Every epoch over the cases that get pairs; it may stop earlier."""
    made_by = context.stage.after if context.stage else None
    assert made_by is not None
    limit = context.study.settings_of(made_by, context.task.entry).limit
    cases = pair_cases(context.task, limit, 0, made_by.source)
    train, validation = (
        _learned.sequences(context.task, part, context.settings)
        for part in (cases.encoded[: cases.trained_on], cases.encoded[cases.trained_on :])
    )
    tokens_per_tree, share = context.study.numerics.tokens_per_tree, context.shares
    _, answers = answers_work(context)
    return training_work(train, validation, context.settings, tokens_per_tree, share=share, answers=answers, start=True)
