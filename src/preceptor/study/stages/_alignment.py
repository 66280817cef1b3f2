"""A patient's profile learns to stand for drugs (LEADER, Liu et al. 2024): who comes for the first time has no others.

With x the vector of the set of drugs that a case is to be given, y that of its patient's profile, each through a linear
layer of its own, and s_ij = cosine(x_i, y_j) / temperature over the cases of a batch, to the loss comes, times a
weight, the mean over i of

    -log(exp(s_ii) / sum_j exp(s_ij)) - log(exp(s_ii) / sum_j exp(s_ji)).

Both sums run over j = i and over the cases that have other drugs and another profile: two cases that are alike in one
of them do not show what does not belong together. So it is never below 0, and 0 for a case that is alone. The two
layers learn with the net and are then gone.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn
from torch.nn import functional

from preceptor.engine import Forward, Unit, Work, schedule
from preceptor.models import encode, load_tokenizer
from preceptor.study.cases import Prepared, TaskCases, case_text
from preceptor.study.expected_work import WorkContext
from preceptor.study.stage_tree.stage_context import Context
from preceptor.tasks import DRUGS_OF_VISIT, PROFILE, read_visits, write_visits

_DRUGS, _PROFILES = "_aligned_drugs", "_aligned_profiles"
"""Among the model's heads, none of which a study can call so."""
Sets = tuple[list[int], list[int]]
"""Token ids of the drugs of a case and of its patient's profile, each behind their kind."""


class Align(BaseModel):
    """That a patient's profile learns to stand for the drugs that a case is to be given: how much it counts beside the
    loss of the labels, and what similarities are divided by.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    weight: float = Field(default=0.005, gt=0, allow_inf_nan=False)
    temperature: float = Field(default=1.0, gt=0, allow_inf_nan=False)


@dataclass(frozen=True, slots=True, repr=False)
class Alignment:
    """What a stage aligns, by the numbers of its training cases; those of which the net knows no drug, or nothing of
    the profile, are left out.
    """

    sets: dict[int, Sets]
    settings: Align


def alignment_of(context: Context) -> Alignment | None:
    """None where a stage aligns nothing. Codes are looked up by their names, as those of visits are."""
    if context.settings.align is None:
        return None
    tokenizer = load_tokenizer(context.source)

    def ids(kind: str, codes: Sequence[str]) -> list[int]:
        text = write_visits([{kind: codes}])
        prompt = encode(tokenizer, [{"role": "user", "content": text}], None).prompt
        return [token for token in prompt if token != tokenizer.unk_token_id]

    every = [(ids(DRUGS_OF_VISIT, drugs), ids(PROFILE, profile)) for drugs, profile in drugs_and_profiles(context.task)]
    return Alignment({i: sets for i, sets in enumerate(every) if min(map(len, sets)) > 1}, context.settings.align)


def drugs_and_profiles(cases: Prepared | TaskCases) -> list[tuple[list[str], list[str]]]:
    """The drugs that each training case is to be given, and the codes of its patient's profile, by name."""
    found = []
    for example in cases.splits.train:
        given = cases.task.label_set(example.target) or frozenset()
        visits = read_visits(case_text(cases.task, example))
        profile = [code for visit in visits for code in visit.get(PROFILE, [])]
        found.append(([label for label in cases.task.set_labels if label in given], profile))
    return found


@contextmanager
def aligning(model: Any, alignment: Alignment | None, seed: int) -> Iterator[None]:
    """The two linear layers learn with the model in the block, drawn from `seed`; see `projector`."""
    if alignment is None:
        yield
        return
    width = model.config.width
    with torch.random.fork_rng(devices=[]), torch.device("cpu"):
        torch.manual_seed(seed)
        layers = {name: nn.Linear(width, width) for name in (_DRUGS, _PROFILES)}
    model.heads.update({name: layer.to(next(model.parameters()).device) for name, layer in layers.items()})
    try:
        yield
    finally:
        for name in layers:
            del model.heads[name]


def alignment_loss(forward: Forward, alignment: Alignment, batch: Sequence[int]) -> Tensor:
    """Of the cases with these numbers, which are all of a batch: their mean, a scalar; 0 of one that is left out."""
    cases = [alignment.sets[number] for number in batch if number in alignment.sets]
    if not cases:
        return torch.zeros(())
    drugs, profiles = forward.set_vectors([sets[part] for part in (0, 1) for sets in cases]).chunk(2)
    heads: Any = forward.model.heads
    like = [[bool({*one[0]} == {*other[0]} or {*one[1]} == {*other[1]}) for other in cases] for one in cases]
    losses = contrastive_losses(
        heads[_DRUGS](drugs), heads[_PROFILES](profiles), torch.tensor(like), alignment.settings.temperature
    )
    return losses.sum() / len(batch)


def contrastive_losses(one: Tensor, other: Tensor, like: Tensor, temperature: float) -> Tensor:
    """[cases] the cross-entropy, in nats, of finding the vector of `other` that belongs to one of `one`, and the other
    way round. Both are [cases, width]. like: [cases, cases] bool, symmetric: which are not told from each other.
    """
    similar = functional.normalize(one) @ functional.normalize(other).T / temperature
    itself = torch.eye(len(one), dtype=torch.bool)
    similar = similar.masked_fill((like & ~itself).to(similar.device), -torch.inf)
    right = torch.arange(len(one), device=similar.device)
    found = functional.cross_entropy(similar, right, reduction="none")
    return found + functional.cross_entropy(similar.T, right, reduction="none")


def alignment_work(context: WorkContext) -> Work:
    """What it takes beside the cases themselves: a further small batch of each optimizer step."""
    if context.settings.align is None:
        return []
    lengths = [[1 + len(names) for names in both] for both in drugs_and_profiles(context.task)]
    work: Work = []
    for batch in schedule(len(lengths), context.settings.batch_size, 1, 0):
        some = [length for i in batch if min(lengths[i]) > 1 for length in lengths[i]]
        computed = len(some) * max(some, default=0)
        work.append(Unit("train", context.settings.epochs, computed, sum(some), held=computed))
    return work
