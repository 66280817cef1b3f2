"""How differently an arm's model takes a text and its counterfactual: sentences of he beside the same of she."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from preceptor.data import EACH_ROW, augmented, listed, read_table
from preceptor.errors import InputError, Problem
from preceptor.files import expanded
from preceptor.study.asked_items import Asked, Figure, Item, mean_of
from preceptor.study.cases import Prepared, case_text
from preceptor.study.outcomes._learned import without_learned
from preceptor.study.outcomes._sentences import sentence

title = "Gap of counterfactual pairs"
explanation = (
    "Mean over pairs of |log p(text) - log p(counterfactual)|, in nats, over the mean number of tokens of both: how "
    "much it matters to the model which of two groups a text is of."
)
_KIND = "pair"


class Settings(BaseModel):
    """Where the pairs stand; without a table, sentences of held-out cases beside their counterfactuals."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    pairs: str | None = Field(default=None, min_length=1)
    """A table (CSV, JSONL, Parquet, Excel) with a pair in each row, relative to the study file."""
    text: str = "text"
    counterfactual: str = "counterfactual"
    """The columns of the two texts."""
    group: str = EACH_ROW
    """The column of the patient, or `each row`: every pair is of another patient."""


def problems(settings: Settings, base_folder: Path) -> list[Problem]:
    """What keeps the table from being read."""
    try:
        if settings.pairs:
            _of_table(settings, base_folder)
    except InputError as error:
        return error.problems
    return []


def items(asked: Asked) -> list[Item]:
    """A pair each; of a table, none of a patient of the training or validation cases. Raises `InputError` where that
    leaves none, or no sentence of the held-out cases has a counterfactual.
    """
    settings = asked.settings
    both = _of_table(settings, asked.base_folder) if settings.pairs else _of_cases(asked.task)
    if settings.pairs and settings.group != EACH_ROW:
        both = without_learned(both, asked.task, f"gap: {settings.pairs}")
    return [
        Item(str(number), group, _KIND, (sentence(asked.tokenizer, text), sentence(asked.tokenizer, other)))
        for number, (group, text, other) in enumerate(both)
    ]


def warnings(found: Sequence[Item]) -> list[str]:
    """None."""
    return []


def figures(found: Sequence[Item]) -> list[Figure]:
    """One: lower is better."""
    return [Figure("gap", title, explanation, "lower", _gap, frozenset([_KIND]), of_tokens=True)]


def _gap(columns: Any, weights: Any) -> Any:
    apart = np.abs(columns["nats0"] - columns["nats1"]) * 2 / (columns["tokens0"] + columns["tokens1"])
    return mean_of(apart, weights)


def _of_cases(task: Prepared) -> list[tuple[str, str, str]]:
    found = [
        (one.group, text, other)
        for one in task.splits.test
        for text, other in augmented([case_text(task.task, one)])[0]
    ]
    if not found:
        what = "no sentence of the held-out cases names a sex and has a counterfactual"
        raise InputError(Problem("gap", what, "Name a table of `pairs`, or take `gap` out of `also`."))
    return found


def _of_table(settings: Settings, base_folder: Path) -> list[tuple[str, str, str]]:
    """Patient, text and counterfactual; pairs of which one is empty or both are equal have no gap, and are refused."""
    table = read_table(base_folder / expanded(str(settings.pairs)), None)
    wanted = [settings.text, settings.counterfactual, *([] if settings.group == EACH_ROW else [settings.group])]
    if lacking := [name for name in wanted if name not in table.columns]:
        what = f"there is no column {', '.join(lacking)}; it has {listed(table.columns)}"
        raise InputError(Problem(str(table.path), what, "Name its columns: `{text: ..., counterfactual: ...}`."))
    rows = [str(row.number) for row in table.rows]
    groups = rows if settings.group == EACH_ROW else table.column(settings.group)
    both = list(zip(groups, table.column(settings.text), table.column(settings.counterfactual), strict=True))
    if not both:
        raise InputError(Problem(str(table.path), "it has no pair", "Name a table with one."))
    if wrong := [row for row, (_, a, b) in zip(rows, both, strict=True) if not a.strip() or not b.strip() or a == b]:
        what = f"the texts of {len(wrong)} pairs are empty or equal, first in row {wrong[0]}"
        raise InputError(Problem(str(table.path), what, "Take these rows out."))
    return both
