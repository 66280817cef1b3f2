"""Continued training on raw text (causal language modelling): the model learns to write the documents of a corpus.

The loss is over every token and one end of each document. A document that is longer than `max_length` is learned in
pieces; no piece sees another document. Documents of held-out patients, and near copies of held-out cases, are left out.

With `counterfactual`, the documents are their sentences that name a sex, each beside its counterfactual: what Xie &
Lukasiewicz (2023, arXiv 2306.04067) debias a model with.
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from preceptor.data import augmented, cases_by_patient
from preceptor.engine import SFTSettings, Work, run_sft, sft_steps, training_work
from preceptor.errors import InputError, Problem
from preceptor.models import Encoded, encode_text, load_tokenizer
from preceptor.study.cases import TaskCases, case_text
from preceptor.study.expected_work import WorkContext
from preceptor.study.spec.stages import StageRef
from preceptor.study.spec.study import Study
from preceptor.study.stage_tree.stage_context import Context, Result, epochs
from preceptor.study.stages._corpus import CorpusSettings, Document, corpus_problems, documents, drawn, without_held_out

title = "CLM"
explanation = "Continued training on raw text, before the model learns the task."
curves = ("loss", "eval_loss")
makes = "policy"
Corpus = tuple[list[Encoded], list[Encoded], dict[str, int]]

_VALIDATION_SHARE = 0.1
"""Of the corpus's patients: their documents say when to stop."""
_HOW = {
    None: "",
    "gender": "the sentences that name a sex, each also with the other sex's words (Xie & Lukasiewicz 2023), of ",
    "unchanged": "the sentences that name a sex and could be swapped, each twice and unchanged, of ",
}
"""What is learned of the documents, for a methods section."""


class Settings(CorpusSettings, SFTSettings):
    """How raw text is learned, and which; without a corpus it is that of the training cases, without their answers."""

    metric_for_best_model: Literal["loss"] = Field(default="loss", exclude_if=lambda _: True)
    """A text is no answer that could be scored."""
    label_token_weight: None = Field(default=None, exclude=True)
    label_balance: Literal["none"] = Field(default="none", exclude=True)
    """Nor has it labels."""
    epochs: int = Field(default=1, ge=1)
    counterfactual: Literal["gender", "unchanged"] | None = Field(default=None, exclude_if=lambda value: value is None)
    """`gender`: of the documents, the sentences alone that have a counterfactual, each with it. `unchanged`, the
    control: the same sentences twice, in as many steps.
    """


def needs(stage: str) -> tuple[str, ...]:
    """Nothing but the policy before it, if there is one."""
    return ()


def problems(settings: Settings, base_folder: Path) -> list[Problem]:
    """What keeps the corpus from being read, and one without a sentence that has a counterfactual."""
    found = corpus_problems(settings, base_folder)
    if found or not settings.corpus or not settings.counterfactual:
        return found
    return _none_swapped(str(settings.corpus), (text for _, text in documents(settings, base_folder)))


def caution(stage: StageRef, study: Study, cases: TaskCases) -> Problem | None:
    """That the training cases are without a sentence that has a counterfactual, so that its arms will fail."""
    settings = study.settings_of(stage, cases.entry)
    if settings.corpus or not settings.counterfactual:
        return None
    seen = cases.views[stage.view] if stage.view else cases
    return next(iter(_none_swapped(cases.where, (case_text(seen.task, one) for one in seen.splits.train))), None)


def _none_swapped(where: str, texts: Iterable[str]) -> list[Problem]:
    if any(augmented([text])[0] for text in texts):
        return []
    what = "no sentence has a counterfactual: none names a sex, or not so that it is clear how to swap it"
    return [Problem(where, what, "Take `counterfactual` out, or name a corpus about men and women.")]


def data(context: Context) -> Corpus:
    """Training and validation pieces as token ids, and how many documents were read and left out."""
    texts, counts = _counterfactuals(context.settings, *_learned_and_validated(context))
    tokenizer = load_tokenizer(context.source)
    encoded = [
        [piece for text in part for piece in pieces(tokenizer, text, context.study.max_length)] for part in texts
    ]
    if not all(encoded):
        sentences = f", with {counts['swapped']} sentences that have a counterfactual," if "swapped" in counts else ""
        what = f"{counts['documents']} documents{sentences} leave nothing to learn from or to validate on"
        raise InputError(Problem(f"stage {context.stage.name}", what, "Name a corpus of more patients."))
    return encoded[0], encoded[1], counts


def run(context: Context, data: Corpus) -> Result:
    """Train until the loss on validation documents no longer improves."""
    train, validation, counts = data
    work = partial(
        run_sft,
        train=train,
        validation=validation,
        settings=context.settings,
        numerics=context.numerics,
        folder=context.folder / "checkpoints",
        seed=context.seed,
        goes_on=bool(context.parents),
        tracking=context.tracking,
    )
    stage = context.tune(work, sft_steps(len(train), context.settings))
    return Result(stage.cost, stage.history, stage.learning, counts)


def pieces(tokenizer: Any, text: str, max_length: int) -> list[Encoded]:
    """A document as sequences of at most `max_length` tokens, each behind a token that begins it; the last one ends.

    A string such as `<|im_end|>` in a text is tokenised as plain text. Raises `InputError` without an end token.
    """
    end = tokenizer.eos_token_id
    if end is None:
        raise InputError(Problem("clm", "the tokenizer has no end-of-sequence token", "Take another model."))
    begin = end if tokenizer.bos_token_id is None else tokenizer.bos_token_id
    ids = [*encode_text(tokenizer, text), end]
    room = max_length - 1
    return [Encoded([begin], ids[at : at + room]) for at in range(0, len(ids), room)]


def _learned_and_validated(context: Context) -> tuple[tuple[list[str], list[str]], dict[str, int]]:
    if context.settings.corpus is None:
        parts = [[case_text(task.task, one) for task in context.tasks for one in getattr(task.splits, name)]
                 for name in ("train", "validation")]  # fmt: skip
        return (parts[0], parts[1]), {"documents": sum(map(len, parts)), "held_out_documents": 0, "near_duplicates": 0}
    left, counts = without_held_out(context)
    return _parted(left, context.study.split_seed), counts


def _counterfactuals(
    settings: Settings, parts: tuple[list[str], list[str]], counts: dict[str, int]
) -> tuple[tuple[list[str], list[str]], dict[str, int]]:
    """Each part as the sentences that are learned, where the settings ask for them, and how many were kept and left
    out of both.
    """
    if settings.counterfactual is None:
        return parts, counts
    (train, of_train), (validation, of_validation) = (_sentences(settings, part) for part in parts)
    return (train, validation), counts | {name: of_train[name] + of_validation[name] for name in of_train}


def _sentences(settings: Settings, texts: Sequence[str]) -> tuple[list[str], dict[str, int]]:
    pairs, counts = augmented(texts)
    swaps = settings.counterfactual == "gender"
    return [text for one, other in pairs for text in (one, other if swaps else one)], counts


def _parted(documents: Sequence[Document], seed: int) -> tuple[list[str], list[str]]:
    """Documents to learn and to validate on, by patient."""
    validation: set[int] = set()
    for cases in cases_by_patient([group for group, _ in documents], f"{seed} clm").values():
        if len(validation) >= max(1, _VALIDATION_SHARE * len(documents)):
            break
        validation |= set(cases)
    texts = [text for _, text in documents]
    return (
        [text for number, text in enumerate(texts) if number not in validation],
        [texts[number] for number in sorted(validation)],
    )


def work(context: WorkContext) -> Work:
    """Every epoch over documents of as many tokens a character as the cases that are shown. It may stop earlier."""
    task, longest, settings = context.task, context.study.max_length, context.settings
    cases = [case_text(task.task, one) for one in task.splits.train]
    asked_alike = _shared_by_all([*(one.prompt for one in task.train), *task.test])
    shown = sum(len(case_text(task.task, one)) for one in task.shown)
    tokens = sum(len(one) - asked_alike for one in task.test) / max(1, shown)
    corpus = documents(settings, context.base_folder) if settings.corpus else []
    read = [text for _, text in drawn(corpus, settings.limit, context.study.split_seed)] or cases
    if settings.counterfactual:
        read, _ = _sentences(settings, read)
    lengths = [length for text in read for length in _lengths(round(tokens * len(text)) + 1, longest - 1)]
    groups = [[Encoded([0], [1 + number] * length)] for number, length in enumerate(lengths)]
    held_out = max(1, round(_VALIDATION_SHARE * len(groups)))
    tokens_per_tree = context.study.numerics.tokens_per_tree
    start = context.stage is not None and context.stage.after is not None
    parts = groups[held_out:], groups[:held_out]
    return training_work(*parts, settings, tokens_per_tree, share=context.shares, start=start)


def _shared_by_all(prompts: Sequence[Sequence[int]]) -> int:
    """How many first tokens all prompts share: the instruction's."""
    alike = [len(set(tokens)) == 1 for tokens in zip(*prompts, strict=False)]
    return alike.index(False) if False in alike else 0


def _lengths(tokens: int, room: int) -> list[int]:
    return [min(room, tokens - at) for at in range(0, tokens, room)]


def how_trained(settings: Mapping[str, Any], adapter: str) -> str:
    """A sentence for a methods section."""
    source = "a corpus without held-out patients" if settings.get("corpus") else "the text of training cases"
    source = f"{_HOW[settings.get('counterfactual')]}{source}"
    return (
        f"Continued training on {source} tuned {adapter} on every token for at most {epochs(settings)} (learning rate "
        f"{settings.get('learning_rate')}, batches of {settings.get('batch_size')})."
    )
