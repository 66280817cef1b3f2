"""The reference's log-probabilities: computed once, before the first step, so that no second model is held."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from preceptor.engine._batches import split_into_trees
from preceptor.engine._cost import Cost, side_by_side, timed
from preceptor.engine._deal import deal
from preceptor.engine._logprobs import answer_logprobs, idle_loss
from preceptor.engine._parallel import gathered, rank
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
    with timed() as own_cost:
        found = gathered(_logprobs_here(policy, pairs, numerics, share=share, cost=own_cost))
    of_pair = {i: sums for part in found for i, sums in part.items()}
    logprobs = [of_pair[i] for i in range(len(pairs))]
    cost = side_by_side(gathered(own_cost))
    if rank() == 0:
        write_json(file, {"for": made_for, "logprobs": logprobs, "cost": cost.to_json()})
    return logprobs, cost


@torch.no_grad()
def _logprobs_here(
    policy: Policy, pairs: Sequence[EncodedPair], numerics: Numerics, *, share: bool, cost: Cost
) -> dict[int, tuple[float, float]]:
    """Those of this process's trees, by the index of the pair."""
    policy.model.eval()
    logprobs: dict[int, tuple[float, float]] = {}
    wide = numerics.model_copy(update={"tokens_per_tree": 2 * numerics.tokens_per_tree})
    for tree in own_pair_trees(pairs, range(len(pairs)), wide):
        if not tree:
            idle_loss(policy.model)
            continue
        chosen, rejected = pair_logprobs(policy.model, [pairs[i] for i in tree], share=share, cost=cost)
        logprobs.update(zip(tree, zip(sums(chosen).tolist(), sums(rejected).tolist(), strict=True), strict=True))
    return logprobs


def own_pair_trees(
    pairs: Sequence[EncodedPair], which: Sequence[int], numerics: Numerics, *, turn: int = 0
) -> list[list[int]]:
    """Indices of the pairs of each tree of this process; in a tree without pairs it waits for others.

    At every turn the trees go one process further, so that none always has the most.
    """
    dealt = deal(which, lambda i: sequences_of(pairs[i]), numerics.tokens_per_tree, numerics.processes)
    return dealt[(rank() + turn) % numerics.processes]


def pair_trees(pairs: Sequence[EncodedPair], which: Sequence[int], tokens_per_tree: int) -> list[list[int]]:
    """Indices of the pairs of each tree; a pair is never parted."""
    return split_into_trees(which, lambda i: sequences_of(pairs[i]), tokens_per_tree)


def sequences_of(pair: EncodedPair) -> list[list[int]]:
    """The token ids of its two sequences, each prompt and answer."""
    return [s.prompt + s.answer for s in pair.sequences()]


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
