"""Tree attention on an accelerator: FlexAttention under a block mask made from the tree's `end`, never a dense mask."""

from functools import cache
from typing import Any

import torch
from torch import Tensor
from torch.nn.attention.flex_attention import BlockMask, flex_attention

from preceptor.engine.tree.layout import Tree

_BLOCK = 128


def tree_block_mask(tree: Tree, window: int | None, device: torch.device) -> BlockMask:
    """Which 128 x 128 blocks of queries and keys meet at all, and the rule within those that meet in part.

    A key is seen by the queries [begin, end): those of its own node and below it, or all if it is of the prefix.

    `window`: a query attends to keys less than this many tokens of depth above it.
    """
    tokens, keys = len(tree), tree.prefix + len(tree)
    padding = -keys % _BLOCK
    begin = torch.tensor([0] * tree.prefix + list(range(tokens)) + [tokens] * padding, device=device)
    end = torch.tensor([tokens] * tree.prefix + tree.end + [0] * padding, device=device)
    depth = torch.tensor(tree.positions + [0] * (-tokens % _BLOCK), device=device)
    depth_of_keys = torch.tensor([*range(tree.prefix), *tree.positions] + [0] * padding, device=device)
    first = torch.arange(0, tokens, _BLOCK, device=device)
    last = (first + _BLOCK).clamp(max=tokens) - 1
    begins, ends = begin.view(-1, _BLOCK), end.view(-1, _BLOCK)
    meets = (begins.amin(1)[None, :] <= last[:, None]) & (first[:, None] < ends.amax(1)[None, :])
    wholly = meets & (begins.amax(1)[None, :] <= first[:, None]) & (last[:, None] < ends.amin(1)[None, :])
    if window is not None:
        wholly &= False

    def rule(batch: Tensor, head: Tensor, query: Tensor, key: Tensor) -> Tensor:
        seen = (begin[key] <= query) & (query < end[key])
        return seen if window is None else seen & (depth_of_keys[key] > depth[query] - window)

    return BlockMask.from_kv_blocks(
        *_counted(meets & ~wholly),
        *_counted(wholly),
        BLOCK_SIZE=_BLOCK,
        mask_mod=rule,
        seq_lengths=(tokens, keys),
    )


def flex(query: Tensor, key: Tensor, value: Tensor, mask: BlockMask, scale: float, softcap: float | None) -> Tensor:
    """Attention of [1, heads, T, head_dim] over [1, key heads, prefix + T, head_dim]."""

    attend = _compiled() if query.is_cuda else flex_attention
    bend = None if softcap is None else _bent(softcap)
    out: Tensor = attend(query, key, value, score_mod=bend, block_mask=mask, scale=scale, enable_gqa=True)
    return out


def _bent(softcap: float) -> Any:
    def bend(score: Tensor, batch: Tensor, head: Tensor, query: Tensor, key: Tensor) -> Tensor:
        return softcap * torch.tanh(score / softcap)

    return bend


@cache
def _compiled() -> Any:
    return torch.compile(flex_attention, dynamic=True)


def _counted(chosen: Tensor) -> tuple[Tensor, Tensor]:
    """How many key blocks each query block has, and which, in order: [1, 1, rows] and [1, 1, rows, columns]."""
    number = chosen.sum(1, dtype=torch.int32)
    which = chosen.int().argsort(dim=1, descending=True, stable=True).int()
    return number[None, None], which[None, None]
