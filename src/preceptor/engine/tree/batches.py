"""Which examples make up each optimizer step, and how a step is split into trees or batches that fit in memory."""

import random
from bisect import bisect
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import TypeVar

from preceptor.engine.tree.layout import shared_length

Unit = TypeVar("Unit")

_PADDING = 16
"""At most one token in so many of a batch is padding."""


def schedule(count: int, batch_size: int, epochs: int, seed: int) -> list[list[int]]:
    """The whole order of training, known before the first step: indices of each optimizer step's examples."""
    return list(islice(endless_schedule(count, batch_size, seed), epochs * steps_per_epoch(count, batch_size)))


def endless_schedule(count: int, batch_size: int, seed: int) -> Iterator[list[int]]:
    """The order of training without end, epoch after epoch: indices of each optimizer step's examples."""
    rng = random.Random(seed)
    while True:
        order = list(range(count))
        rng.shuffle(order)
        yield from (order[start : start + batch_size] for start in range(0, count, batch_size))


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
    tokens = 0
    for unit in sorted(units, key=sequences_of):
        sequences = sequences_of(unit)
        more = add_to_tree(held, sequences)
        if trees and tokens + more <= tokens_per_tree:
            trees[-1].append(unit)
            tokens += more
        else:
            trees.append([unit])
            held = []
            tokens = add_to_tree(held, sequences)
    return trees


def split_into_batches(
    units: Sequence[Unit], sequences_of: Callable[[Unit], list[list[int]]], tokens_per_batch: int
) -> list[list[Unit]]:
    """Split units into batches of at most `tokens_per_batch` tokens when every sequence is padded to the longest.

    Units are taken in the order of their lengths, the longest first. A batch ends before more than a sixteenth of it is
    padding, which would cost more time than a further batch. A unit that is larger than the budget gets its own.
    """
    batches: list[list[Unit]] = []
    held: list[list[int]] = []
    for unit in sorted(units, key=lambda unit: -max(map(len, sequences_of(unit)))):
        more = [*held, *sequences_of(unit)]
        padded = padded_tokens(more)
        padding = padded - sum(map(len, more))
        if batches and padded <= tokens_per_batch and padding * _PADDING <= padded:
            batches[-1].append(unit)
            held = more
        else:
            batches.append([unit])
            held = sequences_of(unit)
    return batches


def padded_tokens(sequences: Sequence[list[int]]) -> int:
    """How many tokens the sequences have when each is as long as the longest."""
    return len(sequences) * max(map(len, sequences), default=0)


def add_to_tree(held: list[list[int]], sequences: Sequence[list[int]]) -> int:
    """Put sequences into `held`, which stays sorted, and return how many nodes they add to its tree."""
    added = 0
    for sequence in sequences:
        place = bisect(held, sequence)
        beside = held[max(0, place - 1) : place + 1]  # what a sequence shares most with stands next to it
        added += len(sequence) - max((shared_length(sequence, other) for other in beside), default=0)
        held.insert(place, sequence)
    return added
