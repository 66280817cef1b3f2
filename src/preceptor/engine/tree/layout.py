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

    ids, positions, end: [T] token id, depth in the tree, and first index after the node's subtree.
    paths: for each sequence, in the order given, the nodes that spell it.
    """

    ids: list[int]
    positions: list[int]
    end: list[int]
    paths: list[list[int]]

    def __len__(self) -> int:
        return len(self.ids)

    def mask(self, device: torch.device) -> Tensor:
        """[T, T] bool, True where query row may attend to key column."""
        return seen(torch.tensor(self.end, device=device))


def seen(end: Tensor) -> Tensor:
    """[T, T] bool, True where query row may attend to key column, by the rule above. end: [T]."""
    index = torch.arange(len(end), device=end.device)
    return (index[None, :] <= index[:, None]) & (index[:, None] < end[None, :])


def layout(sequences: Sequence[Sequence[int]]) -> Tree:
    """Lay token sequences out as a prefix tree.

    Sorted sequences visit a prefix tree depth-first: each one leaves the path of the one before it
    at their first difference, and everything below that point is finished.
    """
    ids: list[int] = []
    positions: list[int] = []
    end: list[int] = []
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
            positions.append(depth)
            end.append(-1)
        paths[which] = list(open_path)
        before = sequence
    for node in open_path:
        end[node] = len(ids)
    return Tree(ids, positions, end, paths)


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
