"""What an outcome is given and gives back: items, a row of numbers for each, and figures of these."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from preceptor.engine import Numerics, answer_logprobs, float32_head, shares_prefixes, split_into_trees
from preceptor.evidence import FigureValue
from preceptor.models import Encoded, Policy
from preceptor.progress import Advance
from preceptor.study.cases import Prepared
from preceptor.study.spec.study import Study

Row = Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Item:
    """What is asked of a policy: texts, each as pieces of token ids of which every token counts.

    group: the patient, or whatever is resampled as a whole. kind: which figures are of it.
    """

    id: str
    group: str
    kind: str
    texts: tuple[tuple[Encoded, ...], ...] = field(repr=False)
    facts: Row = field(default_factory=dict)
    """Numbers that figures need beside what the policy gives."""


@dataclass(frozen=True, slots=True)
class Figure:
    """A number of all items of some kinds. better: which way; `ideal` where a value is best, and none is less so.

    value: of columns of the items' rows, with weights (rows, items). paired: whether arms are compared by it;
    of_tokens: only those that were asked the very same tokens, as nats a token are of one tokenizer alone.
    """

    name: str
    title: str
    explanation: str
    better: Literal["higher", "lower", "ideal"]
    value: FigureValue
    kinds: frozenset[str]
    ideal: float | None = None
    paired: bool = True
    of_tokens: bool = False


@dataclass(frozen=True, slots=True)
class Asked:
    """All that an outcome's items may depend on. task: the arm's, in tokens of its model."""

    study: Study
    settings: Any
    task: Prepared
    tokenizer: Any
    base_folder: Path


def rows_of(policy: Policy, items: Sequence[Item], numerics: Numerics, advance: Advance) -> list[dict[str, float]]:
    """Of each item, for its n-th text, n from 0: `nats<n>`, minus the log-probability of every token given those before
    it, by the chain rule, and `tokens<n>`, how many these are; of a text in pieces, the sum over pieces. Beside them
    its facts.
    """
    found = [dict(one.facts) for one in items]
    units = [(i, n, piece) for i, one in enumerate(items) for n, text in enumerate(one.texts) for piece in text]
    left = [sum(map(len, one.texts)) for one in items]
    for tree in split_into_trees(units, lambda unit: [unit[2].prompt + unit[2].answer], numerics.tokens_per_tree):
        nats = _nats(policy, [piece for _, _, piece in tree])
        for (i, n, piece), lost in zip(tree, nats, strict=True):
            row = found[i]
            row[f"nats{n}"] = row.get(f"nats{n}", 0.0) + lost
            row[f"tokens{n}"] = row.get(f"tokens{n}", 0.0) + len(piece.answer)
            left[i] -= 1
            advance(left[i] == 0)
    return found


@torch.no_grad()
def _nats(policy: Policy, pieces: Sequence[Encoded]) -> list[float]:
    policy.model.eval()
    with float32_head(policy.model):
        found = answer_logprobs(policy.model, list(pieces), share=shares_prefixes(policy))
    return [-float(one.double().sum()) for one in found]


def columns_of(rows: Sequence[Row]) -> dict[str, NDArray[np.float64]]:
    """Rows with the same names as columns."""
    return {name: np.array([row[name] for row in rows]) for name in rows[0]}


def mean_of(numbers: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """The weighted mean of numbers (items,): weights (rows, items) -> (rows,)."""
    with np.errstate(invalid="ignore", divide="ignore"):
        found: NDArray[np.float64] = (weights @ numbers) / weights.sum(1)
    return found


def evenly(rows: list[Any], limit: int | None) -> list[Any]:
    """At most `limit` rows, evenly spaced; all for None."""
    return rows if limit is None else rows[:: max(1, -(-len(rows) // limit))]
