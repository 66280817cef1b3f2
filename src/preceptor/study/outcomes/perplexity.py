"""How surprising texts are to an arm's model: what learning a task did to it as a model of language."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ConfigDict, Field

from preceptor.data import EACH_ROW
from preceptor.errors import Problem
from preceptor.study.asked_items import Asked, Figure, Item, evenly
from preceptor.study.cases import case_text
from preceptor.study.outcomes._learned import without_learned
from preceptor.study.outcomes._sentences import in_pieces
from preceptor.study.stages._corpus import TextTable, corpus_problems, documents

title = "Perplexity"
explanation = (
    "The exponential of the mean, over all tokens of all texts, of minus the log-probability given the tokens before. "
    "A text longer than the study's length is read in pieces."
)
_KIND = "text"


class Settings(TextTable):
    """Which texts; without a corpus those of the held-out cases, without their answers."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    limit: int | None = Field(default=200, ge=1)
    """At most how many texts, evenly spaced."""


def problems(settings: Settings, base_folder: Path) -> list[Problem]:
    """What keeps the corpus from being read."""
    return corpus_problems(settings, base_folder)


def items(asked: Asked) -> list[Item]:
    """A text each: the same pieces for every arm of a model. Of a corpus, no text of a patient of the training or
    validation cases. Raises `InputError` where that leaves none.
    """
    settings, task = asked.settings, asked.task
    if settings.corpus:
        texts = documents(settings, asked.base_folder)
        if settings.group == EACH_ROW:
            texts = [(f"row {group}", text) for group, text in texts]
        else:
            texts = without_learned(texts, task, f"perplexity: {settings.corpus}")
    else:
        texts = [(one.group, case_text(task.task, one)) for one in task.splits.test]
    longest = asked.study.max_length
    return [
        Item(str(number), group, _KIND, (in_pieces(asked.tokenizer, text, longest),))
        for number, (group, text) in enumerate(evenly(texts, settings.limit))
    ]


def warnings(found: Sequence[Item]) -> list[str]:
    """None."""
    return []


def figures(found: Sequence[Item]) -> list[Figure]:
    """One: lower is better."""
    return [Figure("perplexity", title, explanation, "lower", _perplexity, frozenset([_KIND]), of_tokens=True)]


def _perplexity(columns: Any, weights: Any) -> Any:
    """Of token sums, not of means of texts or batches (P1-7)."""
    return np.exp((weights @ columns["nats0"]) / (weights @ columns["tokens0"]))
