"""How long a study will take: its work is counted, and a few of its own trees are timed before anything is trained."""

import os
import shutil
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from torch import nn

from preceptor.engine import Numerics, Operations, Speed, distinct_prefixes, time_model
from preceptor.models import AdapterSettings, Encoded, ModelSource, Policy, blueprint, layers_of, random_model
from preceptor.study.cases import Prepared
from preceptor.study.plan.remaining import RemainingWork
from preceptor.study.plan.stage_work import answer_work, stage_work
from preceptor.study.spec.found import find_answer
from preceptor.study.spec.study import Study

_TIMED_WEIGHTS = 500_000_000
"""A model with more numbers is timed on as many of its layers as have about so many."""
_TREE_BYTES = 2_000_000_000
_LOAD_SECONDS, _LOADED_BYTES_A_SECOND = 0.8, 1e9
"""Loading the tokenizer and the model, and keeping what a stage made: seconds whatever the size, as benchmarks/plan.py
measures them with a model of almost nothing; and how fast weights are read, which is guessed.
"""
_WRITTEN_BYTES = 32_000_000


def forecast(study: Study, remaining: Sequence[RemainingWork], speed: Speed) -> float:
    """About how many seconds remaining work takes. How fast a server answers is not known."""
    total = 0.0
    for one in remaining:
        for stage, shares in one.stages.items():
            work = stage_work(study, one.prepared, stage, speed.operations, shares=speed.shares)
            total += speed.seconds(work) * sum(shares)
        for arm, shares in one.answers.items():
            total += answer_seconds(study, one.prepared, arm, speed) * sum(shares)
    return total


def answer_seconds(study: Study, prepared: Prepared, arm: str, speed: Speed) -> float:
    """How long an arm answers the held-out cases."""
    way = find_answer(study.arm(arm).answer)
    if not way.asks_policy:
        return float(getattr(way, "seconds", 0.0))
    return speed.seconds(answer_work(study, prepared, arm, speed.operations, shares=speed.shares))


def measure_speed(study: Study, numerics: Numerics, source: ModelSource, prepared: Prepared, folder: Path) -> Speed:
    """Time the model, with random weights, on trees of the study's own cases. `folder`: whose disk is written to.

    Its weights need not be here. A large model is timed on a few of its layers, of which it is made.
    """
    dtype = numerics.torch_dtype
    model = blueprint(source, study.adapter, dtype)
    layers = _layers_to_time(source, numerics)
    policy = Policy(random_model(source, study.adapter, dtype, layers), None, source)
    trees = _trees_to_time(prepared.train, numerics.tokens_per_tree)
    prompts = sorted(prepared.test, key=len)
    timed = time_model(policy, layers, trees, [prompts[0], prompts[-1]])
    learning = _learning(model)
    scale = learning / _learning(policy.model)
    written = 3 * 4 * learning * _seconds_a_byte(folder)  # what learned, and two numbers of AdamW for each
    return replace(
        timed,
        layers=layers_of(source)[0],
        operations=Operations.of(model),
        step=timed.step * scale,
        first_step=timed.first_step * scale,
        start=_LOAD_SECONDS + _bytes(model) / _LOADED_BYTES_A_SECOND + timed.start * layers_of(source)[0] / layers,
        saving=written,
    )


def bytes_to_time(source: ModelSource, adapter: AdapterSettings | None, numerics: Numerics) -> float:
    """Bytes that `measure_speed` holds, about: weights, gradients and a tree."""
    model = blueprint(source, adapter, numerics.torch_dtype, _layers_to_time(source, numerics))
    learning = sum(weight.nbytes for weight in model.parameters() if weight.requires_grad)
    return _bytes(model) + 3.0 * learning + _TREE_BYTES


def _layers_to_time(source: ModelSource, numerics: Numerics) -> int:
    """All, or whole periods of them."""
    count, period = layers_of(source)
    one, two = (_weights(blueprint(source, None, numerics.torch_dtype, n)) for n in (period, 2 * period))
    outside, each = 2 * one - two, two - one
    whole = outside + count / period * each
    return count if whole <= _TIMED_WEIGHTS else min(count, max(1, int(_TIMED_WEIGHTS / each)) * period)


def _trees_to_time(train: Sequence[Encoded], tokens_per_tree: int) -> list[list[Encoded]]:
    """A single case, some cases, and as many as there is room for."""
    by_length = sorted(train, key=lambda case: len(case.prompt) + len(case.answer))
    return [by_length[:1], *(_tree_of(by_length, tokens_per_tree // part) for part in (3, 1))]


def _tree_of(cases: Sequence[Encoded], tokens: int) -> list[Encoded]:
    tree: list[Encoded] = []
    for case in reversed(cases):
        if tree and distinct_prefixes([one.prompt + one.answer for one in [*tree, case]]) > tokens:
            break
        tree.append(case)
    return tree


def _bytes(model: nn.Module) -> int:
    return sum(weight.nbytes for weight in model.parameters())


def _weights(model: nn.Module) -> int:
    return sum(weight.numel() for weight in model.parameters())


def _learning(model: nn.Module) -> int:
    return sum(weight.numel() for weight in model.parameters() if weight.requires_grad)


def _seconds_a_byte(folder: Path) -> float:
    """Of writing to the disk for good."""
    size = min(
        _WRITTEN_BYTES, shutil.disk_usage(folder).free // 10
    )  # a disk that is nearly full is not filled for this
    started = time.perf_counter()
    with tempfile.TemporaryFile(dir=folder) as file:
        file.write(os.urandom(size))
        file.flush()
        os.fsync(file.fileno())
    return (time.perf_counter() - started) / max(1, size)
