"""Load balancing: which rank computes which trees of an optimizer step, when several train one model together."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from preceptor.engine.parallel.shard import rank
from preceptor.engine.settings import Numerics
from preceptor.engine.tree.batches import add_to_tree, split_into_trees

Unit = TypeVar("Unit")

_AT_ONCE = 64
"""Units that are balanced together: enough to come out even, few enough to take no time beside the model."""


def own_trees(
    units: Sequence[Unit], sequences_of: Callable[[Unit], list[list[int]]], numerics: Numerics, *, step: int = 0
) -> list[list[Unit]]:
    """The units of each tree that this rank computes in an optimizer step; in a tree without units it waits.

    The trees rotate over the ranks from step to step, so that none always has the most.
    """
    of_ranks = balance_across_ranks(units, sequences_of, numerics.tokens_per_tree, numerics.processes)
    return of_ranks[(rank() + step) % numerics.processes]


def balance_across_ranks(
    units: Sequence[Unit], sequences_of: Callable[[Unit], list[list[int]]], tokens_per_tree: int, ranks: int
) -> list[list[list[Unit]]]:
    """The trees of each of `ranks` processes, of at most `tokens_per_tree` nodes; a larger unit gets a tree of its own.

    Every rank gets as many trees as the others; where there are too few units, some are empty. The n-th trees of all
    ranks are about equally large: processes that share a model wait for each other at every layer. One rank gets what
    `split_into_trees` gives.
    """
    if ranks == 1:
        return [split_into_trees(units, sequences_of, tokens_per_tree)]
    of_ranks: list[list[list[Unit]]] = [[] for _ in range(ranks)]
    loads = [0] * ranks
    in_order = sorted(units, key=sequences_of)  # those which begin alike are balanced together, and may share a tree
    for start in range(0, len(in_order), _AT_ONCE):
        some = [_Sized(unit, sequences_of(unit)) for unit in in_order[start : start + _AT_ONCE]]
        trees = sorted(_even_trees(some, tokens_per_tree, ranks), key=lambda tree: -tree.tokens)
        for first in range(0, len(trees), ranks):
            lightest_first = sorted(range(ranks), key=loads.__getitem__)
            for lightest, tree in zip(lightest_first, trees[first : first + ranks], strict=True):
                of_ranks[lightest].append([one.unit for one in tree.units])
                loads[lightest] += tree.tokens
    return of_ranks


class _Sized(Generic[Unit]):
    """A unit and how many nodes its own tree has."""

    def __init__(self, unit: Unit, sequences: list[list[int]]) -> None:
        self.unit = unit
        self.sequences = sequences
        self.tokens = add_to_tree([], sequences)


@dataclass(slots=True)
class _Tree(Generic[Unit]):
    """Units that share a tree of so many nodes."""

    units: list[_Sized[Unit]] = field(default_factory=list)
    tokens: int = 0
    held: list[list[int]] = field(default_factory=list)

    def tokens_with(self, one: _Sized[Unit]) -> int:
        return self.tokens + add_to_tree(list(self.held), one.sequences)

    def add(self, one: _Sized[Unit]) -> None:
        self.units.append(one)
        self.tokens += add_to_tree(self.held, one.sequences)


def _even_trees(units: Sequence[_Sized[Unit]], tokens_per_tree: int, ranks: int) -> list[_Tree[Unit]]:
    """As few trees as fit the budget, a multiple of `ranks`, of about the same size."""
    count = ranks
    while (trees := _spread(units, count, tokens_per_tree)) is None:
        count += ranks
    return trees


def _spread(units: Sequence[_Sized[Unit]], count: int, tokens_per_tree: int) -> list[_Tree[Unit]] | None:
    """The largest unit first, each to the tree that stays smallest with it (Graham 1969, longest processing time).

    None when that many trees do not have the room.
    """
    trees: list[_Tree[Unit]] = [_Tree() for _ in range(count)]
    for one in sorted(units, key=lambda one: -one.tokens):
        sizes = [tree.tokens_with(one) for tree in trees]
        room = [i for i, tree in enumerate(trees) if not tree.units or sizes[i] <= tokens_per_tree]
        if not room:
            return None
        trees[min(room, key=lambda i: sizes[i])].add(one)
    return trees
