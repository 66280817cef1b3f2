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

    `window`: a query attends to keys less than this many tokens of depth above it.
    """
    tokens = len(tree)
    count = -(-tokens // _BLOCK)
    padding = count * _BLOCK - tokens
    end = torch.tensor(tree.end + [0] * padding, device=device)
    depth = torch.tensor(tree.positions + [0] * padding, device=device)
    first = torch.arange(count, device=device) * _BLOCK
    last = (first + _BLOCK).clamp(max=tokens) - 1
    by_block = end.view(count, _BLOCK)
    earlier = first[None, :] <= first[:, None]
    meets = earlier & (first[:, None] < by_block.max(1).values[None, :])
    wholly = meets & (first[None, :] < first[:, None]) & (last[:, None] < by_block.min(1).values[None, :])
    if window is not None:
        wholly &= False

    def rule(batch: Tensor, head: Tensor, query: Tensor, key: Tensor) -> Tensor:
        seen = (key <= query) & (query < end[key])
        return seen if window is None else seen & (depth[key] > depth[query] - window)

    return BlockMask.from_kv_blocks(
        *_counted(meets & ~wholly),
        *_counted(wholly),
        BLOCK_SIZE=_BLOCK,
        mask_mod=rule,
        seq_lengths=(tokens, tokens),
    )


def flex(query: Tensor, key: Tensor, value: Tensor, mask: BlockMask, scale: float, softcap: float | None) -> Tensor:
    """Attention of [1, heads, T, head_dim] over [1, key heads, T, head_dim]."""

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
