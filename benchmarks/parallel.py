"""How evenly the trees of a step fall to the processes that share a model: `python -m benchmarks.parallel [--json]`

Tokens only, nothing is trained. Each row sets the tokens of the process that has the most beside those of the one that
has the least, over 50 optimizer steps. The shapes of `benchmarks.training` and `benchmarks.gpu` have pairs of one
length; in `mixed` the prompts' own part is drawn, half between 0.76 and 1.31 times the median. There a further row says
how much longer steps take than if nobody waited: processes wait at every tree for the one that has the largest.
"""

import argparse
import json
import random
from collections.abc import Sequence
from dataclasses import asdict

from benchmarks._measure import Row, at_most
from benchmarks._shapes import LARGE_SHAPES, LARGE_TREE, SHAPES, Shape, draw_pairs
from preceptor.engine import EncodedPair, distinct_prefixes
from preceptor.engine.training.reference import sequences_of
from preceptor.engine.tree.rank_balance import balance_across_ranks

STEPS = 50
RANKS = (2, 4)
BOUND = 1.1
TREE = 1536
MIXED = [Shape("mixed", pairs=pairs, shared=150, own=300, answer=24) for pairs in (8, 16, 32)]
_SIGMA = 0.4
_WORDS, _STOP = range(3, 30_000), 2


def rows() -> list[Row]:
    """The rows of every shape and number of processes that it has a pair for."""
    found = []
    small, large = [(shape, TREE) for shape in SHAPES.values()], [(s, LARGE_TREE) for s in LARGE_SHAPES.values()]
    for shape, tokens_per_tree in small + large:
        steps = [draw_pairs(shape, _WORDS, _STOP, seed=seed) for seed in range(STEPS)]
        found += [_most_over_least(shape.name, steps, n, tokens_per_tree, BOUND) for n in RANKS if n <= shape.pairs]
    for shape in MIXED:
        steps = [_of_mixed_length(shape, seed) for seed in range(STEPS)]
        name = f"{shape.name}, {shape.pairs} pairs"
        for ranks in RANKS:
            found.append(_most_over_least(name, steps, ranks, TREE, BOUND))
            found.append(_waiting(name, steps, ranks, TREE))
    return found


def _of_mixed_length(shape: Shape, seed: int) -> list[EncodedPair]:
    """The pairs of a step, each prompt shortened or lengthened by chance."""
    rng = random.Random(seed)
    pairs = draw_pairs(shape, _WORDS, _STOP, seed=seed)
    lengths = [shape.shared + max(1, round(shape.own * rng.lognormvariate(0, _SIGMA))) for _ in pairs]
    more = [rng.choices(_WORDS, k=length) for length in lengths]
    return [
        EncodedPair([*pair.prompt, *rest][:length], pair.chosen, pair.rejected)
        for pair, rest, length in zip(pairs, more, lengths, strict=True)
    ]


def _tokens(steps: Sequence[Sequence[EncodedPair]], ranks: int, tokens_per_tree: int) -> list[list[list[int]]]:
    """[step][process][tree] nodes, each step's trees going one process further, as in training."""
    told = []
    for step, pairs in enumerate(steps):
        of_ranks = balance_across_ranks(pairs, sequences_of, tokens_per_tree, ranks)
        sizes = [
            [distinct_prefixes([s for pair in tree for s in sequences_of(pair)]) for tree in one] for one in of_ranks
        ]
        told.append([sizes[(rank + step) % ranks] for rank in range(ranks)])
    return told


def _most_over_least(
    case: str, steps: Sequence[Sequence[EncodedPair]], ranks: int, tokens_per_tree: int, bound: float
) -> Row:
    loads = [sum(map(sum, of_rank)) for of_rank in zip(*_tokens(steps, ranks, tokens_per_tree), strict=True)]
    what = f"tokens of {ranks} processes, most over least"
    return at_most(what, case, max(loads), min(loads), "tokens", bound)


def _waiting(case: str, steps: Sequence[Sequence[EncodedPair]], ranks: int, tokens_per_tree: int) -> Row:
    """Tokens that pass in the time of all steps, over those that would if nobody waited."""
    taken = busy = 0
    for step in _tokens(steps, ranks, tokens_per_tree):
        taken += ranks * sum(max(trees) for trees in zip(*step, strict=True))
        busy += sum(map(sum, step))
    return at_most(f"time of {ranks} processes over what an even step takes", case, taken, busy, "tokens", None)


def main() -> None:
    """Count and print the rows."""
    parser = argparse.ArgumentParser(description="How evenly trees fall to processes.")
    parser.add_argument("--json", action="store_true", help="print the rows as JSON")
    arguments = parser.parse_args()
    found = rows()
    if arguments.json:
        print(json.dumps([asdict(row) for row in found], indent=2))
        return
    for row in found:
        holds = "" if row.holds is None else "holds" if row.holds else "MISSED"
        print(f"{row.case:18}{row.what:56}{row.ours:>12.0f}{row.peer:>12.0f} ratio {row.ratio:.3f} {holds}")


if __name__ == "__main__":
    main()
