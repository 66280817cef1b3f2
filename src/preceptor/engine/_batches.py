"""Which examples make up each optimizer step, and how a step is split into trees that fit in memory."""

import random
from collections.abc import Callable, Sequence
from typing import TypeVar

from preceptor.engine._tree import distinct_prefixes

Unit = TypeVar("Unit")


def schedule(count: int, batch_size: int, epochs: int, seed: int) -> list[list[int]]:
    """The whole order of training, known before the first step: indices of each optimizer step's examples."""
    rng = random.Random(seed)
    steps = []
    for _ in range(epochs):
        order = list(range(count))
        rng.shuffle(order)
        steps += [order[start : start + batch_size] for start in range(0, count, batch_size)]
    return steps


def steps_per_epoch(count: int, batch_size: int) -> int:
    """How many optimizer steps one pass over `count` examples takes."""
    return -(-count // batch_size)


def split_into_trees(
    units: Sequence[Unit], sequences_of: Callable[[Unit], list[list[int]]], tokens_per_tree: int
) -> list[list[Unit]]:
    """Split units (an example, or a pair that must stay whole) into trees of at most `tokens_per_tree` nodes.

    Units are taken in the order of their tokens, so that those which begin alike share a tree. A unit that is larger
    than the budget gets a tree of its own.
    """
    trees: list[list[Unit]] = []
    held: list[list[int]] = []
    for unit in sorted(units, key=sequences_of):
        sequences = sequences_of(unit)
        if trees and distinct_prefixes(held + sequences) <= tokens_per_tree:
            trees[-1].append(unit)
            held += sequences
        else:
            trees.append([unit])
            held = list(sequences)
    return trees
