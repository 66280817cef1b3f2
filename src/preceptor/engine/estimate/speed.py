"""How fast a model computes here: a stage in miniature, and each kind of work measured at two sizes."""

import random
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import cycle, islice, pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from torch import Tensor

from preceptor.engine.estimate.work import Work
from preceptor.engine.settings import Numerics, TrainSettings
from preceptor.engine.training.stage import Forward, train
from preceptor.engine.tree.batches import split_into_trees
from preceptor.engine.tree.layout import distinct_prefixes
from preceptor.engine.tree.sharing import shares_prefixes
from preceptor.engine.write.candidates import score_answers
from preceptor.engine.write.generate import generate, generation_batches
from preceptor.models import Encoded, Policy
from preceptor.progress import Advance, quiet

MEASUREMENTS = 8
_ROWS = (8, 32)
"""Answers of a batch most of which have ended, and of a whole one."""
_STEPS = 3

Point = tuple[int, float]
"""Tokens of a piece of work, and its seconds."""


@dataclass(frozen=True, slots=True)
class Line:
    """Seconds of a piece of work as a straight line in its tokens: `fixed`, and `each` for every token."""

    fixed: float = 0.0
    each: float = 0.0

    @classmethod
    def through(cls, small: Point, large: Point) -> "Line":
        """Through two measurements. No part is below 0; one that would be leaves all to the larger measurement."""
        each = (large[1] - small[1]) / (large[0] - small[0]) if large[0] > small[0] else 0.0
        fixed = small[1] - each * small[0]
        if each <= 0 or fixed < 0:
            return cls(0.0, large[1] / large[0])
        return cls(fixed, each)


@dataclass(frozen=True, slots=True)
class Speed:
    """What was measured of a model on this machine: a line for each kind of `Unit`.

    start: seconds of a stage's or an evaluation's beginning. shares: whether what sequences share is computed once.
    """

    lines: dict[str, Line]
    start: float
    shares: bool = True

    def seconds(self, work: Work, processes: int = 1) -> float:
        """From its beginning to its end; `processes` compute its trees together and talk while they compute."""
        total = self.start
        for unit in work:
            line, parted = self.lines[unit.kind], processes if unit.kind in ("train", "score") else 1
            total += unit.count * (line.fixed + line.each * unit.tokens) / parted
        return total


def measure(
    make: Callable[[], Policy],
    cases: Sequence[Encoded],
    numerics: Numerics,
    folder: Path,
    advance: Advance = quiet,
    scale: float = 1.0,
) -> Speed:
    """Measure the policy that `make` makes on trees of the shortest case, and of as many of the longest as fit.

    `advance` counts `MEASUREMENTS`. `folder` is on the disk that checkpoints will be written to; what is written is
    gone at the end. scale: seconds of the model that is planned for over those of the one that is measured.
    """
    with _left_as_it_was(numerics.threads), TemporaryDirectory(dir=folder) as aside:
        started = time.perf_counter()
        policy = make()
        share = shares_prefixes(policy)
        small, large = _sizes(cases, numerics.tokens_per_tree, share=share)
        moments = _train(policy, [small, small, large], numerics, Path(aside))
        once, step, larger, saving = (b - a for a, b in pairwise(moments))
        start = moments[0] - started + max(0.0, once - step)
        trees = [distinct_prefixes([one.prompt + one.answer for one in tree]) for tree in (small, large)]
        lines = {"train": Line.through((trees[0], step), (trees[1], larger)), "save": Line(saving)}
        advance(2)
        scored = []
        for tree in (small, large):
            scored.append(_score(policy, tree, numerics))
            advance()
        lines["score"] = Line.through(*scored)
        read, written = [], []
        for tree, rows in zip((small, large), _ROWS if share else (1, 1), strict=True):
            reading, writing = _write(policy, list(islice(cycle([one.prompt for one in tree]), rows)))
            read.append(reading)
            written.append(writing)
            advance(2)
        lines |= {"read": Line.through(*read), "write": Line.through(*written)}
    scaled = {kind: Line(scale * line.fixed, scale * line.each) for kind, line in lines.items()}
    return Speed(scaled, scale * start, share)


def _sizes(cases: Sequence[Encoded], tokens_per_tree: int, *, share: bool) -> tuple[list[Encoded], list[Encoded]]:
    """Cases of a small tree and of a large one; without sharing, the shortest and the longest."""
    by_length = sorted(cases, key=lambda one: len(one.prompt) + len(one.answer))
    if not share:
        return by_length[:1], by_length[-1:]
    trees = split_into_trees(by_length[:1:-1], lambda one: [one.prompt + one.answer], tokens_per_tree)
    return by_length[:1], max(trees, key=len)


def _train(policy: Policy, batches: Sequence[Sequence[Encoded]], numerics: Numerics, folder: Path) -> list[float]:
    """A stage with a step for each batch: the moments at which training began, each step ended and the stage ended."""
    moments: list[float] = []

    def loss(forward: Forward, tree: Sequence[Encoded], batch: Sequence[Encoded]) -> tuple[Tensor, dict[str, float]]:
        return -torch.cat(forward.answer_logprobs(tree)).mean(), {}

    train(
        policy,
        batches,
        loss,
        batches[0],
        TrainSettings(),
        _whole_trees(numerics),
        folder,
        seed=0,
        sequences_of=lambda one: [one.prompt + one.answer],
        eval_steps=len(batches),
        advance=lambda *_: moments.append(time.perf_counter()),
    )
    return [*moments, time.perf_counter()]


def _score(policy: Policy, tree: Sequence[Encoded], numerics: Numerics) -> Point:
    prompts, answers = [one.prompt for one in tree], [[one.answer] for one in tree]
    _, cost = score_answers(policy, prompts, answers, _whole_trees(numerics))
    return cost.tokens_computed, cost.seconds


def _write(policy: Policy, prompts: Sequence[list[int]]) -> tuple[Point, Point]:
    """The reading of the prompts, as many as a batch can have, and a step of their answers."""
    some = [prompts[i] for i in generation_batches(prompts, len(prompts), _STEPS + 1)[0]]
    moments = [time.perf_counter()]

    def note(*_: object) -> tuple[()]:
        moments.append(time.perf_counter())
        return ()

    generate(
        policy,
        some,
        max_new_tokens=_STEPS + 1,
        stop=frozenset(),
        rows=len(some),
        on_batch=lambda *_: None,
        on_token=note,
    )
    reading, *steps = (b - a for a, b in pairwise(moments))
    return (distinct_prefixes(some), reading), (len(some), statistics.median(steps))


def _whole_trees(numerics: Numerics) -> Numerics:
    return numerics.model_copy(update={"tokens_per_tree": 10**9, "processes": 1})


@contextmanager
def _left_as_it_was(threads: int) -> Iterator[None]:
    """In the block, torch has so many threads; behind it, they and all random states are as they were."""
    before = torch.get_num_threads(), random.getstate(), np.random.get_state()
    torch.set_num_threads(threads)
    try:
        with torch.random.fork_rng():
            yield
    finally:
        torch.set_num_threads(before[0])
        random.setstate(before[1])
        np.random.set_state(before[2])
