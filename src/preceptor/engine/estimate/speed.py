"""How fast a model computes here: a stage in miniature is done, and each kind of work is measured at two sizes."""

import random
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count, cycle, islice, pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from scipy.optimize import nnls
from torch import Tensor

from preceptor.engine.cost import timed
from preceptor.engine.estimate.work import Work
from preceptor.engine.settings import Numerics, TrainSettings
from preceptor.engine.training.stage import Forward, train
from preceptor.engine.tree.batches import padded_tokens
from preceptor.engine.tree.layout import distinct_prefixes
from preceptor.engine.tree.sharing import shares_prefixes
from preceptor.engine.tree.states import computed_together, is_encoder, sequence_states
from preceptor.engine.write.generate import generate, generation_batches
from preceptor.models import SNIPPET_POOLS, Encoded, Policy, heads_of, positions
from preceptor.progress import Advance, quiet

MEASUREMENTS = 6
_BEGINNING = 32
"""Tokens of the smaller of the two sizes: so few that what a step takes beside its tokens is nearly all of it."""
_OF_A_TREE = 1 / 4
"""The larger, of the tokens that a tree may have: larger ones take longer and lie on the same line."""
_ROWS = (8, 32)
"""Answers of a batch most of which have ended, and of a whole one."""
_STEPS = 3

Line = tuple[float, float]
"""Seconds of a piece of work: fixed, and for each of its tokens."""


@dataclass(frozen=True, slots=True)
class Speed:
    """What was measured of a model on this machine. lines: by the kind of a `Unit`. start: seconds of a stage's or an
    evaluation's beginning. shares: whether what sequences share is computed once.
    """

    lines: dict[str, Line]
    start: float
    shares: bool = True

    def seconds(self, work: Work, processes: int = 1) -> float:
        """From its beginning to its end; `processes` compute its trees together and communicate while they compute."""
        total = self.start
        for unit in work:
            fixed, each = self.lines[unit.kind]
            total += unit.repeats * (fixed + each * unit.tokens) / (processes if unit.kind in ("train", "score") else 1)
        return total


def line_through(points: Sequence[tuple[int, float]]) -> Line:
    """The straight line through measured (tokens, seconds): least squares, with no part below 0."""
    tokens, seconds = zip(*points, strict=True)
    scale = float(max(tokens))
    fixed, each = nnls(np.array([[1.0, size / scale] for size in tokens]), np.array(seconds))[0]
    return float(fixed), float(each) / scale


def measure(
    make: Callable[[], Policy],
    cases: Sequence[Encoded],
    numerics: Numerics,
    folder: Path,
    advance: Advance = quiet,
    scale: float = 1.0,
    *,
    trains: bool = True,
) -> Speed:
    """Measure the policy that `make` makes on the beginning of a case and on a tree of many.

    trains: whether it is trained; one that only answers is not, and has no lines for it. What is scored takes as long
    as what is read. `advance` counts `MEASUREMENTS`. folder: on the disk that checkpoints will be written to; what is
    written is gone at the end. scale: seconds of the model that is planned for over those of the one that `make` makes,
    which is tuned.
    """
    with _left_as_it_was(numerics.threads), TemporaryDirectory(dir=folder) as aside:
        started = time.perf_counter()
        policy = make()
        share = shares_prefixes(policy)
        size = _padded if is_encoder(policy.model) else _tokens
        by_length = sorted(_in_pieces(policy, _renumbered(cases)), key=lambda one: len(one.prompt) + len(one.answer))
        largest = int(_OF_A_TREE * numerics.tokens_per_tree)
        whole = computed_together(policy.model, by_length, lambda one: [one.prompt + one.answer], largest)
        together = share or is_encoder(policy.model)
        beginning = Encoded(by_length[0].prompt[:_BEGINNING], by_length[0].answer[:_BEGINNING])
        trees = ([beginning], max(whole, key=size) if together else by_length[-1:])
        undivided = numerics.model_copy(update={"tokens_per_tree": 10**9, "processes": 1})
        points: dict[str, list[tuple[int, float]]] = {}
        began, start, lines = time.perf_counter(), 0.0, dict[str, Line]()
        if trains:
            began, warm, *done, saved = _train(policy, [trees[0], *trees], undivided, Path(aside))
            points["train"] = list(zip(map(size, trees), (b - a for a, b in pairwise([warm, *done])), strict=True))
            start, lines["save"] = max(0.0, warm - began - points["train"][0][1]), (saved - done[-1], 0.0)
        else:
            _answer(policy, trees[0], 1)  # what is computed first takes longer
        advance(2)
        for tree, rows in zip(trees, _ROWS if share else (1, 1), strict=True):
            for kind, point in _answer(policy, tree, rows).items():
                points.setdefault(kind, []).append(point)
            advance(2)
    lines |= {kind: line_through(both) for kind, both in points.items()}
    lines["score"] = lines["read"]
    start += began - started
    scaled = {kind: (scale * fixed, scale * each) for kind, (fixed, each) in lines.items()}
    return Speed(scaled, scale * start, share)


def _tokens(tree: Sequence[Encoded]) -> int:
    return distinct_prefixes([one.prompt + one.answer for one in tree])


def _padded(batch: Sequence[Encoded]) -> int:
    return padded_tokens([one.prompt + one.answer for one in batch])


def _renumbered(cases: Sequence[Encoded]) -> list[Encoded]:
    """As many tokens, alike where they are alike, and other ids: nothing of a patient gets into a checkpoint."""
    ids: dict[int, int] = defaultdict(count().__next__)
    return [Encoded([ids[one] for one in case.prompt], [ids[one] for one in case.answer]) for case in cases]


def _in_pieces(policy: Policy, cases: Sequence[Encoded]) -> list[Encoded]:
    """Where its head reads chunks or snippets, each is a case: a token of one takes as long. A case that another arm's
    head would part is as long as the positions.
    """
    head = next(iter(heads_of(policy.model).values()), None)
    if head is None or (head.chunks is None and head.pool not in SNIPPET_POOLS):
        return list(cases)
    front = getattr(getattr(policy.model, "active_peft_config", None), "num_virtual_tokens", 0)
    longest = (known - front) if (known := positions(policy.model.config)) else None
    return [Encoded(piece[:longest], []) for one in cases for piece in head.pieces(one.prompt)]


def _train(policy: Policy, batches: Sequence[Sequence[Encoded]], numerics: Numerics, folder: Path) -> list[float]:
    """A stage with a step for each batch: the moments at which training began, each step ended and the stage ended."""
    moments: list[float] = []

    def loss(forward: Forward, tree: Sequence[Encoded], batch: Sequence[Encoded]) -> tuple[Tensor, dict[str, float]]:
        if heads := heads_of(forward.model):
            sequences = [one.prompt + one.answer for one in tree]
            logits = [head(forward.states(sequences, head)) for head in heads.values()]
            return torch.cat(logits, dim=1).square().mean(), {}
        return -torch.cat(forward.answer_logprobs(tree)).mean(), {}

    train(
        policy,
        batches,
        loss,
        lambda _: 0.0,  # evaluations are counted by themselves
        TrainSettings(),
        numerics,
        folder,
        seed=0,
        sequences_of=lambda one: [one.prompt + one.answer],
        eval_steps=len(batches),
        advance=lambda *_: moments.append(time.perf_counter()),
    )
    return [*moments, time.perf_counter()]


def _answer(policy: Policy, tree: Sequence[Encoded], rows: int) -> dict[str, tuple[int, float]]:
    """Tokens and seconds of what answers to these cases take; an encoder writes nothing."""
    prompts = [one.prompt for one in tree]
    if is_encoder(policy.model):
        return {"read": _read(policy, prompts)}
    return dict(zip(("read", "write"), _write(policy, list(islice(cycle(prompts), rows))), strict=True))


@torch.no_grad()
def _read(policy: Policy, prompts: Sequence[list[int]]) -> tuple[int, float]:
    (head, *_) = heads_of(policy.model).values()
    with timed() as cost:
        sequence_states(policy.model, prompts, head, share=False, cost=cost)
    return cost.tokens_computed, cost.seconds


def _write(policy: Policy, prompts: Sequence[list[int]]) -> list[tuple[int, float]]:
    """Tokens and seconds of the reading of prompts, as many as a batch can have, and of a step of their answers."""
    some = [prompts[i] for i in generation_batches(prompts, len(prompts), _STEPS + 1)[0]]
    moments = [time.perf_counter()]

    def note(*_: object) -> tuple[()]:
        moments.append(time.perf_counter())
        return ()

    stop: frozenset[int] = frozenset()
    generate(policy, some, max_new_tokens=_STEPS + 1, stop=stop, rows=32, on_batch=lambda *_: None, on_token=note)
    return [(distinct_prefixes(some), moments[1] - moments[0]), (len(some), (moments[-1] - moments[1]) / _STEPS)]


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
