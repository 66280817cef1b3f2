"""What a model learns toward: states of another model, and the projector that leads from its own state to them."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from preceptor.data import cases_by_patient
from preceptor.study.stage_tree.stage_context import Context
from preceptor.study.stages.states import read_states

_NAME = "_projector"
"""Among the model's heads, none of which a study can call so."""


def targets_of(context: Context) -> tuple[Tensor, float] | None:
    """The states [cases, numbers] that a stage learns toward, in the order of its training cases, and their weight."""
    if context.toward is None:
        return None
    output, toward = context.toward
    states = read_states(output.folder)
    if toward.permute:
        states = states[exchanged([one.group for one in context.task.splits.train], context.seed)]
    return states, toward.weight


def exchanged(patients: Sequence[str], seed: int) -> list[int]:
    """The number of the case whose state each case is given: a permutation, in which none has one of its own patient,
    unless a patient has more than half of them.
    """
    by_patient = list(cases_by_patient(list(patients), f"{seed} toward").values())
    order = [case for cases in by_patient for case in cases]
    shift = max(map(len, by_patient))
    given = [0] * len(order)
    for place, case in enumerate(order):
        given[case] = order[(place + shift) % len(order)]
    return given


@contextmanager
def projector(model: Any, width: int, target: int, seed: int) -> Iterator[None]:
    """A linear layer from `width` to `target` numbers that learns with the model in the block, drawn from `seed`.

    Afterwards it is gone: it is no part of what is saved, and nothing answers by it. A checkpoint holds it.
    """
    with torch.random.fork_rng(devices=[]), torch.device("cpu"):
        torch.manual_seed(seed)
        layer = nn.Linear(width, target)
    model.heads[_NAME] = layer.to(next(model.parameters()).device)
    try:
        yield
    finally:
        del model.heads[_NAME]


def state_distances(model: Any, states: Tensor, targets: Tensor) -> Tensor:
    """[cases] the mean square of P s - h: s of states [cases, width], h of targets [cases, target], P the projector."""
    made: Tensor = model.heads[_NAME](states)
    return (made - targets.to(made.device)).square().mean(dim=1)
