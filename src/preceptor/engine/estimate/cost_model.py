"""How fast a model computes here: a few of its own trees are timed, and a linear cost model is fitted to them."""

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import TypeVar

import numpy as np
import torch
from scipy.optimize import nnls
from torch import nn

from preceptor.engine.estimate.workload import Operations, Trees, Workload, tree_workload
from preceptor.engine.output_layer import float32_head
from preceptor.engine.tree.logprobs import answer_logprobs
from preceptor.engine.tree.sharing import shares_prefixes
from preceptor.engine.write.generate import generate
from preceptor.models import Encoded, Policy

_ROUNDS = 2
_ROWS = (32, 8)
"""Answers written at a time: a whole batch, and what is left of one when most of its answers have ended."""
_STEPS = 3


@dataclass(frozen=True, slots=True)
class CostModel:
    """Time as a linear function of work: seconds a FLOP of the linear layers, a query-key pair of attention in one
    layer, and a layer, whose constant part is reading its weights and kernel-launch latency.
    """

    flop: float
    attention: float
    layer: float

    def seconds(self, flops: float, attention_pairs: float, layers: float) -> float:
        """Predicted time of so much work."""
        return self.flop * flops + self.attention * attention_pairs + self.layer * layers


@dataclass(frozen=True, slots=True)
class Speed:
    """How fast a model of `layers` layers trains, computes without gradients, and writes on a machine.

    step: seconds of an optimizer step beside its trees. first_step: what the first one takes beyond that, which makes
    the optimizer's state. start: of a stage's or an evaluation's beginning and end. saving: of an evaluation's
    checkpoint, of which the weights are a third. shares: whether what sequences share is computed once.
    """

    layers: int
    operations: Operations
    train: CostModel
    forward: CostModel
    write: CostModel
    step: float
    first_step: float
    start: float
    saving: float
    shares: bool = True

    def seconds(self, work: Workload, processes: int = 1) -> float:
        """What a stage or an evaluation takes, from its beginning to its end; `processes` compute its trees together.

        Their communication is assumed to overlap with computation.
        """
        writing = work.writing
        operations = self.operations.forward(writing.tokens, writing.tokens)
        return (
            self.start
            + self._seconds(self.train, work.train) / processes
            + self._seconds(self.forward, work.forward + work.read) / processes
            + self.write.seconds(operations, self.layers * writing.attention_pairs, self.layers * writing.steps)
            + self.step * work.steps
            + self.saving * work.evaluations
            + (self.first_step + self.saving / 3 if work.steps else 0.0)
        )

    def _seconds(self, model: CostModel, trees: Trees) -> float:
        operations = self.operations.forward(trees.tokens, trees.rows)
        return model.seconds(operations, self.layers * trees.attention_pairs, self.layers * trees.count)


def fit_cost_model(work: Sequence[tuple[float, float, float]], seconds: Sequence[float]) -> CostModel:
    """The cost model of timed work, each of (FLOPs, attention pairs, layers): non-negative least squares of the
    relative errors.
    """
    each = np.array(work) / np.array(seconds)[:, None]
    scale = np.maximum(each.max(axis=0), 1e-30)
    parts, _ = nnls(each / scale, np.ones(len(seconds)))
    return CostModel(*(float(part) for part in parts / scale))


def time_model(policy: Policy, layers: int, trees: Sequence[Sequence[Encoded]], prompts: Sequence[list[int]]) -> Speed:
    """Time a model of `layers` layers on `trees`, forward and backward, and on answers to the `prompts`.

    Give trees and prompts of different sizes. The best of a few rounds counts, which go through all trees in turn, so
    that a busy moment of the machine hits all of them. `start` is only what `shares_prefixes` takes, and `saving` 0.
    """
    with float32_head(policy.model):  # held as long as in a stage, not made anew for each tree
        return _time_model(policy, layers, trees, prompts)


def _time_model(policy: Policy, layers: int, trees: Sequence[Sequence[Encoded]], prompts: Sequence[list[int]]) -> Speed:
    model = policy.model
    start, shares = _timed(lambda: shares_prefixes(policy))
    operations = Operations.of(model)
    counted = [tree_workload(tree, share=shares) for tree in trees]
    flops = [operations.forward(one.tokens, one.rows) for one in counted]
    work = [(f, layers * one.attention_pairs, layers * one.count) for f, one in zip(flops, counted, strict=True)]
    train, forward = [], []
    for _ in range(_ROUNDS):
        train.append([_timed(partial(_train, model, tree, shares))[0] for tree in trees])
        forward.append([_timed(partial(_forward, model, tree, shares))[0] for tree in trees])
    step, first_step = _step_seconds(model)
    model.zero_grad()
    return Speed(
        layers,
        operations,
        fit_cost_model(work, np.min(train, axis=0)),
        fit_cost_model(work, np.min(forward, axis=0)),
        _time_writing(policy, layers, operations.forward(1, 1), prompts, _ROWS if shares else _ROWS[-1:]),
        step,
        first_step,
        start,
        0.0,
        shares,
    )


def _train(model: nn.Module, tree: Sequence[Encoded], share: bool) -> None:
    model.zero_grad()
    if share:
        torch.cat(answer_logprobs(model, tree)).sum().backward()
        return
    for one in tree:
        answer_logprobs(model, [one], share=False)[0].sum().backward()


@torch.no_grad()
def _forward(model: nn.Module, tree: Sequence[Encoded], share: bool) -> None:
    answer_logprobs(model, tree, share=share)


def _step_seconds(model: nn.Module) -> tuple[float, float]:
    """Seconds of what Trainer does between a step's last tree and the next step's first, on existing gradients.

    And what it does more the first time.
    """
    weights = [weight for weight in model.parameters() if weight.requires_grad]
    optimizer = torch.optim.AdamW(weights, lr=0.0, fused=True)

    def step() -> None:
        torch.nn.utils.clip_grad_norm_(weights, 1.0)
        optimizer.step()

    first = _timed(step)[0]
    later = min(_timed(step)[0] for _ in range(_ROUNDS))
    return later, max(0.0, first - later)


def _time_writing(
    policy: Policy, layers: int, operations: float, prompts: Sequence[list[int]], rows: Sequence[int]
) -> CostModel:
    """The cost model of decoding, from steps of batches of several sizes. The rows of a batch have one prompt, which is
    prefilled once.
    """
    work, seconds = [], []
    for prompt in prompts:
        for count in rows:
            moments: list[float] = []

            def note(*_: object, moments: list[float] = moments) -> tuple[()]:
                moments.append(time.perf_counter())
                return ()

            generate(
                policy,
                [prompt] * count,
                max_new_tokens=_STEPS + 2,
                stop=frozenset(),
                rows=count,
                on_batch=lambda *_: None,
                on_token=note,
            )
            work.append((operations * count, layers * count * (len(prompt) + _STEPS / 2), float(layers)))
            seconds.append(statistics.median(b - a for a, b in pairwise(moments)))
    return fit_cost_model(work, seconds)


Out = TypeVar("Out")


def _timed(work: Callable[[], Out]) -> tuple[float, Out]:
    started = time.perf_counter()
    out = work()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter() - started, out
