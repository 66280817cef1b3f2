"""Attention over a prefix tree, for any transformers model whose attention goes through its attention interface."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd import Function
from torch.nn.attention.flex_attention import BlockMask
from transformers import AttentionInterface

from preceptor.engine.tree.blocks import Block, blocks
from preceptor.engine.tree.flex import flex, tree_block_mask
from preceptor.engine.tree.layout import Tree, seen
from preceptor.models import slow_16_bits

_NAME = "preceptor_tree"
_flash = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu
_flash_backward = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu_backward


class TreeAttention:
    """What attention needs to know about one tree: made once, used by every layer."""

    def __init__(self, tree: Tree, device: torch.device, *, keep: bool = False) -> None:
        self.tree = tree
        self.kept: list[tuple[Tensor, Tensor]] = []  # every layer's keys and values, where answers go on from them
        self._keep = keep
        self.blocks = blocks(tree.end)
        whole = [(slice(0, len(tree)), slice(0, tree.prefix))] if tree.prefix else []
        branching = (block for block in self.blocks if block.stop < block.reach)
        self.above = [*whole, *((slice(one.stop, one.reach), self.own(one)[1]) for one in branching)]
        """Queries, and keys in front of them that all of these see."""
        self.depth = max(tree.positions) + 1
        self.windows: list[int | None] = []  # what each layer asked for, for the check when a model is loaded
        self._device = device
        self._masks: dict[int | None, Tensor] = {}
        self._own_masks: dict[Block, Tensor] = {}
        self._block_masks: dict[int | None, BlockMask] = {}

    def saw(self, window: int | None, key: Tensor, value: Tensor) -> None:
        """Note what a layer came with."""
        self.windows.append(window)
        if self._keep:
            self.kept.append((key, value))

    def own(self, block: Block) -> tuple[slice, slice]:
        """A block's queries and keys."""
        prefix = self.tree.prefix
        return slice(block.start, block.stop), slice(prefix + block.start, prefix + block.stop)

    def mask(self, window: int | None) -> Tensor:
        """[T, prefix + T] bool: whether query row may attend to key column, at most `window` tokens of depth away."""
        if window not in self._masks:
            mask = self.tree.mask(self._device)
            if window is not None:
                depth = torch.tensor(self.tree.positions, device=self._device)
                depth_of_keys = torch.cat([torch.arange(self.tree.prefix, device=self._device), depth])
                mask = mask & (depth_of_keys[None, :] > depth[:, None] - window)
            self._masks[window] = mask
        return self._masks[window]

    def block_mask(self, window: int | None) -> BlockMask:
        """The same for FlexAttention, without a cell for every query and key."""
        if window not in self._block_masks:
            self._block_masks[window] = tree_block_mask(self.tree, window, self._device)
        return self._block_masks[window]

    def own_mask(self, block: Block, dtype: torch.dtype) -> Tensor | None:
        """The mask within a block, to be added to its scores: [1, 1, tokens, tokens]. A chain needs none."""
        if block.chain:
            return None
        if block not in self._own_masks:
            allowed = seen(torch.tensor(self.tree.end[block.start : block.stop]) - block.start)
            mask = torch.zeros(allowed.shape, dtype=dtype).masked_fill_(~allowed, -torch.inf)
            self._own_masks[block] = mask[None, None]
        return self._own_masks[block]


_current: ContextVar[TreeAttention] = ContextVar("tree whose attention is computed")


@contextmanager
def tree_attention(model: nn.Module, attention: TreeAttention) -> Iterator[None]:
    """Within the block, the model's attention is that of the tree; its inputs are the tree's ids and positions."""
    whole: Any = model.config
    config = whole.get_text_config()
    before, config._attn_implementation = config._attn_implementation, _NAME
    token = _current.set(attention)
    try:
        yield
    finally:
        _current.reset(token)
        config._attn_implementation = before


def _attend(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    *,
    scaling: float | None = None,
    sliding_window: int | None = None,
    softcap: float | None = None,
    **others: Any,
) -> tuple[Tensor, None]:
    """transformers' attention interface. query: [1, heads, T, head_dim], key and value: [1, key heads, prefix + T,
    head_dim].

    Returns [1, T, heads, head_dim].
    """
    if others.get("s_aux") is not None:
        raise TypeError("attention sinks are not part of tree attention")
    tree = _current.get()
    if key.shape[2] != tree.tree.prefix + query.shape[2]:
        raise TypeError("the model's own cache does not hold a prefix as it was given")
    tree.saw(sliding_window, key, value)
    window = sliding_window if sliding_window is not None and sliding_window < tree.depth else None
    scale = query.shape[-1] ** -0.5 if scaling is None else scaling
    if query.device.type != "cpu":
        return flex(query, key, value, tree.block_mask(window), scale, softcap).transpose(1, 2), None
    dtype = query.dtype
    if slow_16_bits():
        query, key, value = query.float(), key.float(), value.float()
    if softcap is not None:
        out = _capped(query, *_each_head(query, key, value), tree.mask(window), scale, softcap)
    elif window is not None:
        mask = tree.mask(window)
        out = F.scaled_dot_product_attention(query, *_each_head(query, key, value), attn_mask=mask, scale=scale)
    else:  # these kernels know that several heads share keys
        paths: Any = _PathAttention
        out = paths.apply(query, key, value, tree, scale)
    return out.transpose(1, 2).to(dtype), None


def _each_head(query: Tensor, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
    """Keys and values once for every head of the query: [1, heads, prefix + T, head_dim]."""
    groups = query.shape[1] // key.shape[1]
    return key.repeat_interleave(groups, dim=1), value.repeat_interleave(groups, dim=1)


def _capped(query: Tensor, key: Tensor, value: Tensor, mask: Tensor, scale: float, softcap: float) -> Tensor:
    """Attention whose scores are bent towards +-softcap (Gemma 2)."""
    scores = softcap * torch.tanh(query @ key.transpose(2, 3) * (scale / softcap))
    weights = scores.masked_fill(~mask, -torch.inf).softmax(dim=-1, dtype=torch.float32)
    return weights.to(value.dtype) @ value


class _PathAttention(Function):
    """Softmax attention along each query's own path, block by block, joined by their log-sum-exp.

    The backward of a block needs only the whole row's output and log-sum-exp (Dao et al. 2022, arXiv 2205.14135,
    algorithm 4), so the blocks' gradients simply add up.

    query: [1, heads, T, head_dim]. key, value: [1, key heads, prefix + T, head_dim]; all queries see the prefix.
    """

    @staticmethod
    def forward(ctx: Any, query: Tensor, key: Tensor, value: Tensor, tree: TreeAttention, scale: float) -> Tensor:
        _, heads, tokens, head_dim = query.shape
        out = query.new_empty(1, tokens, heads, head_dim).transpose(1, 2)
        logsumexp = query.new_empty(1, heads, tokens, dtype=torch.float32)
        for block in tree.blocks:
            own, keys = tree.own(block)
            out[:, :, own], logsumexp[:, :, own] = _flash(
                query[:, :, own],
                key[:, :, keys],
                value[:, :, keys],
                is_causal=block.chain,
                attn_mask=tree.own_mask(block, query.dtype),
                scale=scale,
            )
        for below, keys in tree.above:
            more, more_lse = _flash(query[:, :, below], key[:, :, keys], value[:, :, keys], scale=scale)
            share = torch.sigmoid(more_lse - logsumexp[:, :, below])
            out[:, :, below] = torch.lerp(out[:, :, below], more, share[..., None].to(out.dtype))
            logsumexp[:, :, below] = torch.logaddexp(logsumexp[:, :, below], more_lse)
        ctx.save_for_backward(query, key, value, out, logsumexp)
        ctx.tree, ctx.scale = tree, scale
        return out

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (gradient,) = gradients
        query, key, value, out, logsumexp = ctx.saved_tensors
        totals = [torch.empty_like(x) for x in (query, key, value)]
        for total in totals[1:]:
            total[:, :, : ctx.tree.tree.prefix] = 0

        def parts(queries: slice, keys: slice, *, causal: bool, mask: Tensor | None) -> list[tuple[Tensor, Tensor]]:
            """What these queries and keys add, each beside the place it belongs to."""
            slopes = _flash_backward(
                gradient[:, :, queries],
                query[:, :, queries],
                key[:, :, keys],
                value[:, :, keys],
                out[:, :, queries],
                logsumexp[:, :, queries],
                0.0,
                causal,
                attn_mask=mask,
                scale=ctx.scale,
            )
            places = (total[:, :, where] for total, where in zip(totals, (queries, keys, keys), strict=True))
            return list(zip(places, slopes, strict=True))

        for block in ctx.tree.blocks:  # each node is in one block: this fills the totals
            own, keys = ctx.tree.own(block)
            for place, slope in parts(own, keys, causal=block.chain, mask=ctx.tree.own_mask(block, query.dtype)):
                place.copy_(slope)
        for below, keys in ctx.tree.above:
            for place, slope in parts(below, keys, causal=False, mask=None):
                place += slope
        return (*totals, None, None)


AttentionInterface.register(_NAME, _attend)
