"""How well senses are told on texts that nothing was learned from, beside the commonest sense of each short form."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from preceptor.data import Senses
from preceptor.engine import Numerics, computed_together, sequence_states, shares_prefixes
from preceptor.evidence import Sample, compare, estimate, find_metric
from preceptor.models import Policy, heads_of
from preceptor.study.stages._sense_cases import Asked

_SHARE_RIGHT = "accuracy"


@torch.no_grad()
def sense_outputs(policy: Policy, cases: Sequence[Asked], head: str, numerics: Numerics) -> Tensor:
    """The head's outputs at each short form, before any softmax: [cases, senses] float32."""
    policy.model.eval()
    layer, share = heads_of(policy.model)[head], shares_prefixes(policy)
    rows, tokens = torch.empty(len(cases), layer.out_features), numerics.tokens_per_tree
    for some in computed_together(policy.model, range(len(cases)), lambda i: [cases[i].ids], tokens):
        asked = [cases[i] for i in some]
        states = sequence_states(
            policy.model, [one.ids for one in asked], layer, share=share, at=[one.at for one in asked]
        )
        rows[list(some)] = layer(states).cpu()
    return rows


@dataclass(frozen=True, slots=True)
class Told:
    """The sense that was given to each case: [cases] each."""

    gold: np.ndarray[Any, Any]
    over_all: np.ndarray[Any, Any]
    within: np.ndarray[Any, Any]
    commonest: np.ndarray[Any, Any]


def told(outputs: Tensor, cases: Sequence[Asked], senses: Senses) -> Told:
    """The sense of the highest output of all, of the highest output among those of the case's short form, and the
    commonest of these in training.
    """
    gold = [one.sense for one in cases]
    own = torch.full_like(outputs, -torch.inf)
    for row, sense in enumerate(gold):
        candidates = list(senses.candidates[sense])
        own[row, candidates] = outputs[row, candidates]
    commonest = [senses.commonest[sense] for sense in gold]
    return Told(np.array(gold), outputs.argmax(-1).numpy(), own.argmax(-1).numpy(), np.array(commonest))


def sense_figures(cases: Sequence[Asked], found: Told) -> dict[str, Any]:
    """Accuracies with 95% intervals, patients resampled, of all cases and of those whose sense stands nowhere else in
    their text; JSON values.
    """
    unaided = np.array([not one.written_out for one in cases])
    return {
        "written_out": int(len(cases) - unaided.sum()),
        "all": _figures(cases, found, np.full(len(cases), True)),
        "not_written_out": _figures(cases, found, unaided),
    }


def _figures(cases: Sequence[Asked], found: Told, which: np.ndarray[Any, Any]) -> dict[str, Any] | None:
    """None where there are no such cases."""
    if not which.any():
        return None
    groups = np.array([one.group for one in cases])[which]
    within, over_all, commonest = (
        Sample(groups, found.gold[which], given[which]) for given in (found.within, found.over_all, found.commonest)
    )
    difference = compare(find_metric(_SHARE_RIGHT), [within], [commonest])
    return {
        "cases": len(groups),
        "patients": within.patients,
        "within": _estimated(within),
        "over_all": _estimated(over_all),
        "commonest": _estimated(commonest),
        "gain": {"value": difference.delta, "ci": _interval(difference.low, difference.high)},
    }


def _estimated(sample: Sample) -> dict[str, Any]:
    rate = estimate(find_metric(_SHARE_RIGHT), sample)
    return {"value": rate.value, "ci": _interval(rate.low, rate.high)}


def _interval(low: float | None, high: float | None) -> list[float] | None:
    return None if low is None or high is None else [low, high]
