"""Sequences that begin alike, laid out as one prefix tree: every distinct prefix token stands once.

The tree is in depth-first order. `end[i]` is the first index after node i's subtree, so token q may attend to
token k exactly when `k <= q < end[k]`: k is q itself or one of its ancestors, which are q's own prefix.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Tree:
    """A batch of sequences as one tree of T nodes.

    ids, positions, end: [T] token id, position in its sequence, and first index after the node's subtree. An id below 0
    is no token's: -1 - j is the j-th of vectors that are given (see `tree/vectors.py`).
    paths: for each sequence, in the order given, the nodes that spell it.
    soft: so many nodes, the first ones, are vectors in front of every sequence: a chain at the root, on no path.
    prefix: so many keys and values, given to every layer, stand in front of the first node's, and all nodes see them.
    """

    ids: list[int]
    positions: list[int]
    end: list[int]
    paths: list[list[int]]
    soft: int = 0
    prefix: int = 0

    def __len__(self) -> int:
        return len(self.ids)

    def mask(self, device: torch.device) -> Tensor:
        """[T, prefix + T] bool, True where query row may attend to key column."""
        nodes = seen(torch.tensor(self.end, device=device))
        return torch.cat([nodes.new_ones(len(self), self.prefix), nodes], dim=1)

    def keys_of(self, path: Sequence[int]) -> list[int]:
        """The columns, of prefix + T, of what the last node of a path sees: what stands in front, and the path."""
        return [*range(self.prefix + self.soft), *(self.prefix + node for node in path)]


def seen(end: Tensor) -> Tensor:
    """[T, T] bool, True where query row may attend to key column, by the rule above. end: [T]."""
    index = torch.arange(len(end), device=end.device)
    return (index[None, :] <= index[:, None]) & (index[:, None] < end[None, :])


def layout(sequences: Sequence[Sequence[int]], *, soft: int = 0, prefix: int = 0) -> Tree:
    """Lay token sequences out as a prefix tree, behind `soft` vectors or a `prefix` of keys and values (see `Tree`).

    Sorted sequences visit a prefix tree depth-first: each one leaves the path of the one before it
    at their first difference, and everything below that point is finished.
    """
    ids = [-1 - vector for vector in range(soft)]
    positions = list(range(prefix, prefix + soft))
    end = [-1] * soft
    paths: list[list[int]] = [[] for _ in sequences]
    open_path: list[int] = []
    before: Sequence[int] = []  # what the open path spells
    for which in sorted(range(len(sequences)), key=lambda i: list(sequences[i])):
        sequence = sequences[which]
        shared = shared_length(sequence, before)
        for node in open_path[shared:]:
            end[node] = len(ids)
        del open_path[shared:]
        for depth in range(shared, len(sequence)):
            open_path.append(len(ids))
            ids.append(sequence[depth])
            positions.append(prefix + soft + depth)
            end.append(-1)
        paths[which] = list(open_path)
        before = sequence
    for node in (*range(soft), *open_path):
        end[node] = len(ids)
    return Tree(ids, positions, end, paths, soft, prefix)


def distinct_prefixes(sequences: Sequence[Sequence[int]]) -> int:
    """How many nodes `layout` would make, without making it."""
    total = 0
    before: list[int] = []
    for sequence in sorted(map(list, sequences)):
        total += len(sequence) - shared_length(before, sequence)
        before = sequence
    return total


def shared_length(a: Sequence[int], b: Sequence[int]) -> int:
    """The number of tokens with which two sequences begin alike."""
    return next((depth for depth, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))
