"""The reference's log-probabilities: computed once, before the first step, so that no second model is held."""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from preceptor.engine.cost import Cost, side_by_side, timed
from preceptor.engine.output_layer import float32_head
from preceptor.engine.parallel.shard import gathered, rank
from preceptor.engine.settings import Numerics
from preceptor.engine.tree.batches import split_into_trees
from preceptor.engine.tree.logprobs import answer_logprobs, dummy_loss
from preceptor.engine.tree.rank_balance import own_trees
from preceptor.engine.tree.sharing import shares_prefixes
from preceptor.errors import InputError, Problem
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


@dataclass(frozen=True, slots=True)
class Reference:
    """Summed log-probability of each pair's chosen and rejected answer under the untouched policy, in nats.

    gap: how far the policy is from it on the first step, as the mean over that step's answer tokens, in nats; None
    where it was computed in this process on a CPU, and so on the very numbers of the first step.
    """

    logprobs: list[tuple[float, float]]
    cost: Cost
    gap: float | None = None


_GAP_NOTED = {"float32": 1e-5, "bfloat16": 1e-2}
"""Nats a token that rounding explains when other code, or an accelerator, computes the same numbers again."""
_GAP_A_TOKEN = 0.05
_GAP_A_SEQUENCE = 1.0
"""Nats that no rounding explains: the reference is another policy's, or this machine computes something else."""


def reference_of_policy(
    policy: Policy,
    pairs: Sequence[EncodedPair],
    steps: Sequence[Sequence[int]],
    numerics: Numerics,
    file: Path,
) -> Reference:
    """The policy's own log-probabilities of all `pairs`, cached in `file`, whose name must stand for its weights.

    steps: indices of the pairs that are laid out as trees together, the first optimizer step's first; they must name
    every pair. The same trees as in training give the same numbers, to the bit on a CPU. What was cached for other
    token ids, trees, vocabulary or another dtype is computed anew, and so is what is further from the policy than
    rounding explains. Raises InputError when computing it again does not bring the two together.
    """
    made_for = _made_for(policy, pairs, steps, numerics)

    def compute() -> Reference:
        computed = _computed(policy, pairs, steps, numerics)
        if rank() == 0:
            _save(computed, made_for, file)
        return computed

    reference = _read(file, made_for, len(pairs))
    if reference is None:
        reference = compute()
        if policy.model.device.type == "cpu" and numerics.processes == 1:
            return reference
    gap = _gap(policy, pairs, steps[0], reference, numerics)
    if not gap.a_token <= _GAP_NOTED[numerics.dtype]:
        reference = compute()
        gap = _gap(policy, pairs, steps[0], reference, numerics)
    check_gap(gap)
    return Reference(reference.logprobs, reference.cost, gap.a_token)


@dataclass(frozen=True, slots=True)
class Gap:
    """How far two computations of the same log-probabilities are apart, in nats.

    a_token: the mean over all answer tokens. a_sequence: the most of a whole answer.
    """

    a_token: float
    a_sequence: float


def check_gap(gap: Gap) -> None:
    """Raises InputError for more than rounding explains, or for what is no number."""
    if gap.a_token <= _GAP_A_TOKEN and gap.a_sequence <= _GAP_A_SEQUENCE:
        return
    what = (
        "before the first step the policy must be its own reference, and its log-probabilities are "
        f"{gap.a_token:.3g} nats a token and up to {gap.a_sequence:.3g} nats an answer away from it"
    )
    fix = (
        "This machine does not compute the same numbers twice. Set `numerics: {dtype: float32, threads: 1}` in the "
        "study and run it again."
    )
    raise InputError(Problem("DPO's reference", what, fix))


def _gap(
    policy: Policy, pairs: Sequence[EncodedPair], step: Sequence[int], reference: Reference, numerics: Numerics
) -> Gap:
    """Of the policy and its reference on one step. It is no part of the stage's cost, which is that of a run that
    was never interrupted.
    """
    found = gathered(_logprobs_here(policy, pairs, [step], numerics, cost=Cost()))
    now = {i: sums for part in found for i, sums in part.items()}
    apart = [abs(a - b) for i in step for a, b in zip(now[i], reference.logprobs[i], strict=True)]
    tokens = sum(len(pairs[i].chosen) + len(pairs[i].rejected) for i in step)
    return Gap(sum(apart) / tokens, max(apart) if math.isfinite(sum(apart)) else math.inf)  # max passes over a NaN


def _computed(
    policy: Policy, pairs: Sequence[EncodedPair], steps: Sequence[Sequence[int]], numerics: Numerics
) -> Reference:
    """Raises InputError for log-probabilities that are not finite."""
    with timed() as own_cost:
        found = gathered(_logprobs_here(policy, pairs, steps, numerics, cost=own_cost))
    of_pair = {i: sums for part in found for i, sums in part.items()}
    logprobs = [of_pair[i] for i in range(len(pairs))]
    if not all(math.isfinite(value) for row in logprobs for value in row):
        what = "the policy gives an answer a log-probability that is no number"
        raise InputError(Problem("DPO's reference", what, "Its weights have come apart: lower learning_rate of `sft`."))
    return Reference(logprobs, side_by_side(gathered(own_cost)))


@torch.no_grad()
def _logprobs_here(
    policy: Policy,
    pairs: Sequence[EncodedPair],
    steps: Sequence[Sequence[int]],
    numerics: Numerics,
    *,
    cost: Cost,
) -> dict[int, tuple[float, float]]:
    """Those of this process's trees, by the index of the pair."""
    share = shares_prefixes(policy)
    policy.model.eval()
    logprobs: dict[int, tuple[float, float]] = {}
    with float32_head(policy.model):
        for number, step in enumerate(steps):
            for tree in own_trees(step, lambda i: sequences_of(pairs[i]), numerics, step=number):
                if not tree:
                    dummy_loss(policy.model)
                    continue
                chosen, rejected = pair_logprobs(policy.model, [pairs[i] for i in tree], share=share, cost=cost)
                both = zip(sums(chosen).tolist(), sums(rejected).tolist(), strict=True)
                logprobs.update(zip(tree, both, strict=True))
    return logprobs


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


def _made_for(policy: Policy, pairs: Sequence[EncodedPair], steps: Sequence[Sequence[int]], numerics: Numerics) -> str:
    """Digest of what the cached numbers depend on, beside the policy's weights."""
    return digest(
        {
            "pairs": [[p.prompt, p.chosen, p.rejected] for p in pairs],
            "trees": [list(map(list, steps)), numerics.tokens_per_tree, numerics.processes],
            "vocabulary": len(policy.tokenizer),
            "dtype": numerics.dtype,
        }
    )


def _save(reference: Reference, made_for: str, file: Path) -> None:
    write_json(file, {"for": made_for, "logprobs": reference.logprobs, "cost": reference.cost.to_json()})


def _read(file: Path, made_for: str, pairs: int) -> Reference | None:
    """The reference cached in `file`; None where there is none for these pairs and trees, or it is damaged."""
    if not file.exists():
        return None
    try:
        cached: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        if cached["for"] != made_for:
            return None
        logprobs = [(float(chosen), float(rejected)) for chosen, rejected in cached["logprobs"]]
        return Reference(logprobs, Cost(**cached["cost"])) if len(logprobs) == pairs else None
    except (ValueError, KeyError, TypeError):
        return None
