"""The reference's log-probabilities: computed once, before the first step, so that no second model is held."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from preceptor.engine._batches import split_into_trees
from preceptor.engine._cost import Cost, timed
from preceptor.engine._logprobs import answer_logprobs
from preceptor.engine._settings import Numerics
from preceptor.files import digest, write_json
from preceptor.models import Encoded, Policy


@dataclass(frozen=True, slots=True)
class EncodedPair:
    """A prompt with a chosen and a rejected answer, as token ids. Both answers end with the stop token."""

    prompt: list[int] = field(repr=False)
    chosen: list[int] = field(repr=False)
    rejected: list[int] = field(repr=False)

    def sequences(self) -> list[Encoded]:
        """The chosen and the rejected answer, each under the prompt."""
        return [Encoded(self.prompt, self.chosen), Encoded(self.prompt, self.rejected)]


def cached_reference(
    policy: Policy, pairs: Sequence[EncodedPair], numerics: Numerics, file: Path, *, share: bool
) -> tuple[list[tuple[float, float]], Cost]:
    """Summed log-probability of each pair's chosen and rejected answer under the untouched policy, in nats.

    Kept in `file`, whose name must stand for the policy's weights. What was kept for other token ids, another
    vocabulary or another dtype is computed anew.
    """
    made_for = digest(
        {
            "pairs": [[p.prompt, p.chosen, p.rejected] for p in pairs],
            "vocabulary": len(policy.tokenizer),
            "dtype": numerics.dtype,
        }
    )
    kept = _read(file, made_for)
    if kept is not None:
        return [tuple(row) for row in kept["logprobs"]], Cost(**kept["cost"])
    logprobs: list[tuple[float, float]] = [(0.0, 0.0)] * len(pairs)
    policy.model.eval()
    with timed() as cost, torch.no_grad():
        for tree in pair_trees(pairs, range(len(pairs)), 2 * numerics.tokens_per_tree):
            chosen, rejected = pair_logprobs(policy.model, [pairs[i] for i in tree], share=share, cost=cost)
            for i, c, r in zip(tree, sums(chosen).tolist(), sums(rejected).tolist(), strict=True):
                logprobs[i] = (c, r)
    write_json(file, {"for": made_for, "logprobs": logprobs, "cost": cost.to_json()})
    return logprobs, cost


def pair_trees(pairs: Sequence[EncodedPair], which: Sequence[int], tokens_per_tree: int) -> list[list[int]]:
    """Indices of the pairs of each tree; a pair is never parted."""
    return split_into_trees(which, lambda i: [s.prompt + s.answer for s in pairs[i].sequences()], tokens_per_tree)


def pair_logprobs(
    model: nn.Module, pairs: Sequence[EncodedPair], *, share: bool, cost: Cost | None
) -> tuple[list[Tensor], list[Tensor]]:
    """Log-probabilities of the chosen and of the rejected answers, one [answer length] tensor a pair."""
    logprobs = answer_logprobs(model, [s for pair in pairs for s in pair.sequences()], share=share, cost=cost)
    return logprobs[0::2], logprobs[1::2]


def sums(logprobs: Sequence[Tensor]) -> Tensor:
    """[pairs] the log-probability of each whole answer."""
    return torch.stack([one.sum() for one in logprobs])


def _read(file: Path, made_for: str) -> dict[str, Any] | None:
    if not file.exists():
        return None
    try:
        kept: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        return kept if kept["for"] == made_for else None
    except (ValueError, KeyError, TypeError):  # damaged, and soon computed anew
        return None
