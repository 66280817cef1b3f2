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
        index = torch.arange(len(self), device=device)
        end = torch.tensor(self.end, device=device)
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
    for which in sorted(range(len(sequences)), key=lambda i: list(sequences[i])):
        sequence = sequences[which]
        shared = _shared_length(sequence, open_path, ids)
        for node in open_path[shared:]:
            end[node] = len(ids)
        del open_path[shared:]
        for depth in range(shared, len(sequence)):
            open_path.append(len(ids))
            ids.append(sequence[depth])
            positions.append(depth)
            end.append(-1)
        paths[which] = list(open_path)
    for node in open_path:
        end[node] = len(ids)
    return Tree(ids, positions, end, paths)


def distinct_prefixes(sequences: Sequence[Sequence[int]]) -> int:
    """How many nodes `layout` would make, without making it."""
    total = 0
    before: list[int] = []
    for sequence in sorted(map(list, sequences)):
        total += len(sequence) - common_prefix([before, sequence])
        before = sequence
    return total


def common_prefix(sequences: Sequence[Sequence[int]]) -> int:
    """The number of tokens with which all sequences begin alike."""
    if not sequences:
        return 0
    first, last = min(map(list, sequences)), max(map(list, sequences))
    for depth, (a, b) in enumerate(zip(first, last, strict=False)):
        if a != b:
            return depth
    return min(len(first), len(last))


def _shared_length(sequence: Sequence[int], path: Sequence[int], ids: Sequence[int]) -> int:
    for depth, (token, node) in enumerate(zip(sequence, path, strict=False)):
        if ids[node] != token:
            return depth
    return min(len(sequence), len(path))
