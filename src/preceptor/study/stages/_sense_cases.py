"""From texts to the cases of a stage that learns senses: short forms in windows of tokens, with their sense's number.

Texts are parted by patient first. Which senses are told apart, and how many cases of each are learned from, is chosen
on the training part.
"""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import Any

from preceptor.data import (
    Senses,
    Substituted,
    Substitution,
    at_most,
    choose_senses,
    left_out_by,
    most_of_a_sense,
    read_short_forms,
    split_by_patient,
    substitute,
)
from preceptor.errors import InputError, Problem
from preceptor.files import expanded
from preceptor.models import ModelSource, Slot, around, context_length, load_tokenizer, writes
from preceptor.study.cases import case_text
from preceptor.study.other_models import vectors_in_front
from preceptor.study.stage_tree.stage_context import Context
from preceptor.study.stages._corpus import Document, without_held_out
from preceptor.tasks import Example, Task

PARTS = ("train", "validation", "test")


@dataclass(frozen=True, slots=True, repr=False)
class Asked:
    """Token ids of a window, the place in it of the short form's first token, the number of its sense, the patient, and
    whether the sense stands written out elsewhere in the text.
    """

    ids: list[int]
    at: int
    sense: int
    group: str
    written_out: bool


@dataclass(frozen=True, slots=True)
class SenseCases:
    """What a stage learns senses from, and what it is measured on; `counts`: what was found and left out."""

    senses: Senses
    train: list[Asked] = field(repr=False)
    validation: list[Asked] = field(repr=False)
    test: list[Asked] = field(repr=False)
    counts: dict[str, Any]


def sense_cases(context: Context) -> SenseCases:
    """The cases of a stage. Raises `InputError` where the texts give no two senses of a short form."""
    settings, seed = context.settings, context.study.split_seed
    texts, counts = _texts(context)
    made = {part: _made(context, own, seed) for part, own in _parted(texts, seed, context.stage.name).items()}
    learned = made["train"].cases
    senses = choose_senses(learned, settings.least)
    if not senses.names:
        raise InputError(_nothing_to_tell_apart(context, made["train"]))
    most = most_of_a_sense(senses.counts.values(), settings.cases)
    told_apart = {part: [one for one in found.cases if one.sense in senses.number] for part, found in made.items()}
    kept = told_apart | {"train": at_most(told_apart["train"], most, seed)}
    asked = {part: _windows(context, cases, senses) for part, cases in kept.items()}
    without_token = sum(len(kept[part]) - len(asked[part]) for part in PARTS)
    if settings.shuffled:
        asked |= {part: with_shuffled_senses(asked[part], senses, seed) for part in ("train", "validation")}
    counts |= {
        "long_forms": sum(one.found for one in made.values()),
        "stopped": sum(one.stopped for one in made.values()),
        "replaced": sum(len(one.cases) for one in made.values()),
        **left_out_by(senses, learned, settings.least),
        "unknown": sum(len(made[part].cases) - len(told_apart[part]) for part in PARTS[1:]),
        "not_sampled": len(told_apart["train"]) - len(kept["train"]),
        "most_of_a_sense": most,
        "without_token": without_token,
        "cases": {part: len(cases) for part, cases in asked.items()},
        "senses": len(senses.names),
        "short_forms": len(set(senses.short_of.values())),
        "commonest": [dict(zip(("short", "sense", "cases"), one, strict=True)) for one in senses.named()],
        "sees_left_only": writes(context.source),
    }
    return SenseCases(senses, asked["train"], asked["validation"], asked["test"], counts)


def with_shuffled_senses(cases: Sequence[Asked], senses: Senses, seed: int) -> list[Asked]:
    """The control: senses are exchanged among the cases of the same short form, so that each has as many cases of each
    sense as before, and the words around a short form say nothing of it.
    """
    drawn, shuffled = random.Random(f"{seed} senses"), list(cases)
    by_short: dict[tuple[int, ...], list[int]] = {}
    for place, one in enumerate(cases):
        by_short.setdefault(senses.candidates[one.sense], []).append(place)
    for places in by_short.values():
        for place, other in zip(places, drawn.sample(places, len(places)), strict=True):
            shuffled[place] = replace(cases[place], sense=cases[other].sense)
    return shuffled


def missing_field(task: Task, name: str, stage: str) -> Problem | None:
    """That a task has no field of this name."""
    if name in task.fields:
        return None
    what = f"field: task {task.name} has no field {name}; it has {', '.join(task.fields)}"
    return Problem(f"stage {stage}", what, "Name one of them, or take `field` out.")


def _texts(context: Context) -> tuple[list[Document], dict[str, Any]]:
    if context.settings.corpus:
        found, counts = without_held_out(context)
        return found, dict(counts)
    found = _texts_of_cases(context)
    return found, {"documents": len(found), "held_out_documents": 0, "near_duplicates": 0}


def _texts_of_cases(context: Context) -> list[Document]:
    """The texts of training and validation cases: a field of them, or what a model is asked."""
    task, name = context.task.task, context.settings.field
    cases = [*context.task.splits.train, *context.task.splits.validation]
    if name is None:
        return [(one.group, case_text(task, one)) for one in cases]
    if problem := missing_field(task, name, context.stage.name):
        raise InputError(problem)
    return [(one.group, one.fields[name]) for one in cases]


def _parted(texts: Sequence[Document], seed: int, stage: str) -> Mapping[str, list[Document]]:
    """The texts of whole patients for training, validation and the figures."""
    cases = [Example(str(number), group, {}, "") for number, (group, _) in enumerate(texts)]
    splits = split_by_patient(cases, seed=seed, where=f"stage {stage}")
    return {part: [texts[int(one.id)] for one in getattr(splits, part)] for part in PARTS}


def _made(context: Context, texts: Sequence[Document], seed: int) -> Substitution:
    from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS  # which reading a study does not need

    settings = context.settings
    forms = read_short_forms(context.base_folder / expanded(settings.table) if settings.table else None)
    stop = [*ENGLISH_STOP_WORDS, *(one.casefold() for one in settings.stop)]
    return substitute(texts, forms, settings.probability, stop=stop, seed=seed)


def _windows(context: Context, cases: Sequence[Substituted], senses: Senses) -> list[Asked]:
    """Without those whose short form the tokenizer drops; cases of one text stand together."""
    most = min(context.settings.window, context.study.max_length)
    tokenizer, length = load_tokenizer(context.source), window_length(context.source, most, context.slots)
    found = []
    for text, own in groupby(cases, key=lambda one: one.text):
        some = list(own)
        windows = around(tokenizer, text, [one.start for one in some], length)
        found += [
            Asked(window.ids, window.at, senses.number[one.sense], one.group, one.written_out)
            for one, window in zip(some, windows, strict=True)
            if window
        ]
    return found


def window_length(source: ModelSource, most: int, slots: Mapping[str, Slot]) -> int:
    """At most so many tokens, and no more than the model has positions for, beside vectors in front of them."""
    known = context_length(source)
    return most if known is None else min(most, known - vectors_in_front(slots))


def _nothing_to_tell_apart(context: Context, made: Substitution) -> Problem:
    least = context.settings.least
    what = (
        f"no short form has two senses with {least} training cases each; {made.found} long forms stand in the training "
        f"texts, and {len(made.cases)} of them were replaced"
    )
    fix = "Lower `least`, raise `probability`, or name more texts or another `table`."
    return Problem(f"stage {context.stage.name}", what, fix)
