"""A corpus that a stage learns from: a table of texts, without held-out patients and near copies of held-out cases."""

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from pydantic import BaseModel, Field, model_validator

from preceptor.data import EACH_ROW, listed, near_duplicates, read_table
from preceptor.errors import InputError, Problem
from preceptor.files import expanded
from preceptor.study.cases import case_text
from preceptor.study.stage_tree.stage_context import Context

Document = tuple[str, str]
"""Patient and text."""


class TextTable(BaseModel):
    """A table of texts."""

    corpus: str | None = Field(default=None, min_length=1)
    """A table (CSV, JSONL, Parquet, Excel) with a document in each row, relative to the study file."""
    text: str = "text"
    """The column of the documents."""
    group: str | None = None
    """The column of the patient, or `each row`: every document is of another patient."""
    reader: str | None = Field(default=None, exclude_if=lambda reader: reader is None)
    """A reader of a public set, as under `data:`."""

    @model_validator(mode="after")
    def _patients_are_named(self) -> Self:
        if self.corpus and not self.group:
            raise ValueError(f"group: name the column of the patient, or `{EACH_ROW}`; held-out patients are left out")
        return self


class CorpusSettings(TextTable):
    """Where the texts come from; without a corpus they are those of the training cases, without their answers."""

    limit: int | None = Field(default=None, ge=1, exclude_if=lambda limit: limit is None)
    """At most this many documents of the corpus, drawn with the study's split seed; by default all of them."""

    @model_validator(mode="after")
    def _limit_is_of_a_corpus(self) -> Self:
        if self.limit and not self.corpus:
            raise ValueError("limit: it is of the documents of a corpus; name a `corpus`, or take it out")
        return self


def corpus_problems(settings: TextTable, base_folder: Path) -> list[Problem]:
    """What keeps the corpus from being read."""
    try:
        if settings.corpus:
            documents(settings, base_folder)
    except InputError as error:
        return error.problems
    return []


def documents(settings: TextTable, base_folder: Path) -> list[Document]:
    """The corpus. Raises `InputError` when it cannot be read, lacks a column or any text, or has texts of which nobody
    knows whether their patients are held out.
    """
    table = read_table(base_folder / expanded(str(settings.corpus)), settings.reader)
    wanted = [settings.text, *([] if settings.group == EACH_ROW else [str(settings.group)])]
    if lacking := [name for name in wanted if name not in table.columns]:
        what = f"there is no column {', '.join(lacking)}; it has {listed(table.columns)}"
        raise InputError(Problem(str(table.path), what, "Name its columns beside it: `{text: ..., group: ...}`."))
    groups = (
        [str(row.number) for row in table.rows] if settings.group == EACH_ROW else table.column(str(settings.group))
    )
    found = [(group, text) for group, text in zip(groups, table.column(settings.text), strict=True) if text.strip()]
    if not found:
        raise InputError(Problem(str(table.path), f"no row has a text in {settings.text}", "Name another column."))
    if unknown := sum(not group.strip() for group, _ in found):
        what = f"{unknown} of {len(found)} texts have no patient in {settings.group}, and may be of held-out ones"
        raise InputError(Problem(str(table.path), what, "Say whose they are, or take these rows out."))
    return found


def without_held_out(context: Context) -> tuple[list[Document], dict[str, int]]:
    """The corpus without documents of held-out patients and near copies of held-out cases, of the rest as many as its
    `limit`, and how many were left out.
    """
    whole = documents(context.settings, context.base_folder)
    held_out = [one for task in context.tasks for one in task.splits.test]
    patients = {str(one.group) for one in held_out} if context.settings.group != EACH_ROW else set()
    kept = [(group, text) for group, text in whole if group not in patients]
    cases = [case_text(task.task, one) for task in context.tasks for one in task.splits.test]
    copies = {one.held_out for one in near_duplicates([text for _, text in kept], cases)}
    counts = {
        "documents": len(whole),
        "held_out_documents": len(whole) - len(kept),
        "near_duplicates": len(copies),
    }
    left = [one for number, one in enumerate(kept) if number not in copies]
    if (limit := context.settings.limit) is None:
        return left, counts
    found = drawn(left, limit, context.study.split_seed)
    return found, counts | {"not_drawn": len(left) - len(found)}


def drawn(documents: Sequence[Document], limit: int | None, seed: int) -> list[Document]:
    """At most `limit` of them, in their order: fewer by a lower limit, and those among the ones of a higher."""
    numbers = list(range(len(documents)))
    random.Random(f"{seed} corpus").shuffle(numbers)
    return [documents[number] for number in sorted(numbers[:limit])]
