"""A prefix tree cut into blocks of keys, so that attention never meets a key that is off the query's path.

In depth-first order a node's descendants follow it without a gap. So the keys of a chain [start, stop) are on the path
of exactly two groups of queries: the chain itself, causally, and everything below it, [stop, reach), all of it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

_SMALL = 64
"""Siblings of together at most this many tokens become one block with a mask: one call costs less than many."""


@dataclass(frozen=True, slots=True)
class Block:
    """Keys [start, stop), seen by their own queries and, all of them, by queries [stop, reach).

    `chain`: within the block the path is a plain sequence; otherwise it is a small forest that needs a mask.
    """

    start: int
    stop: int
    reach: int
    chain: bool


def blocks(end: Sequence[int]) -> list[Block]:
    """Blocks of the tree with subtree ends `end` [T]; their [start, stop) cover every node once, in order."""
    return list(_forest(end, 0, len(end)))


def _forest(end: Sequence[int], start: int, stop: int) -> Iterator[Block]:
    """Blocks of the sibling subtrees that fill [start, stop)."""
    root = start
    while root < stop:
        together = end[root]
        while together < stop and end[together] - root <= _SMALL:
            together = end[together]
        chain = _chain(end, root)
        if chain == together:
            yield Block(root, chain, chain, chain=True)
        elif together - root <= _SMALL:
            yield Block(root, together, together, chain=False)
        else:
            yield Block(root, chain, end[root], chain=True)
            yield from _forest(end, chain, end[root])
            together = end[root]
        root = together


def _chain(end: Sequence[int], root: int) -> int:
    """The first node after `root` that is not the only child of the node before it."""
    node = root + 1
    while node < end[root] and end[node] == end[node - 1]:
        node += 1
    return node
