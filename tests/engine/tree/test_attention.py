"""Path attention and FlexAttention against plain attention under the tree's dense mask, in float32."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from preceptor.engine.tree.attention import TreeAttention, _PathAttention
from preceptor.engine.tree.flex import flex, tree_block_mask
from preceptor.engine.tree.layout import Tree, layout

CPU = torch.device("cpu")
HEADS, WIDTH, SCALE = 2, 8, 0.7


def branching(prompt: int, branches: int, length: int, **front: int) -> Tree:
    return layout([[1] * prompt + [2 + n] * length for n in range(branches)], **front)


TREES = {
    "one sequence": branching(90, 1, 5),
    "long branches": branching(70, 3, 80),
    "twenty labels": branching(70, 20, 3),
    "nothing shared": layout([[n] * 40 for n in range(4)]),
    "branches of branches": layout([[1] * 40 + [2 + n % 2] * 30 + [9 + n] * 66 for n in range(5)]),
    "more than two blocks of 128": branching(150, 3, 60),
    "behind soft tokens": branching(70, 3, 80, soft=5),
    "behind a prefix": branching(70, 3, 80, prefix=5),
    "behind a prefix of more than a block": branching(150, 3, 60, prefix=140),
    "a prefix before nothing shared": layout([[n] * 40 for n in range(4)], prefix=7),
}


def inputs(tree: Tree, heads: int = HEADS) -> list[Tensor]:
    generator = torch.Generator().manual_seed(len(tree))
    lengths = (len(tree), tree.prefix + len(tree), tree.prefix + len(tree))
    return [
        torch.randn(1, length, heads, WIDTH, generator=generator).transpose(1, 2).requires_grad_() for length in lengths
    ]


def with_gradients(out: Tensor, leaves: list[Tensor]) -> list[Tensor]:
    weights = torch.linspace(-1, 1, out.numel()).view_as(out)
    return [out, *torch.autograd.grad((out * weights).sum(), leaves)]


def dense(tree: Tree, leaves: list[Tensor], window: int | None = None) -> list[Tensor]:
    mask = TreeAttention(tree, CPU).mask(window)
    return with_gradients(F.scaled_dot_product_attention(*leaves, attn_mask=mask, scale=SCALE), leaves)


@pytest.mark.parametrize("name", TREES)
def test_path_attention_is_attention_under_the_dense_mask(name: str) -> None:
    tree = TREES[name]
    leaves = inputs(tree)
    got = with_gradients(_PathAttention.apply(*leaves, TreeAttention(tree, CPU), SCALE), leaves)
    for a, b in zip(got, dense(tree, leaves), strict=True):
        torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-5)


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.lists(st.integers(0, 2), min_size=1, max_size=90), min_size=1, max_size=8),
    st.integers(0, 3),
    st.integers(0, 3),
)
def test_on_any_tree(sequences: list[list[int]], soft: int, prefix: int) -> None:
    tree = layout(sequences, soft=soft, prefix=prefix)
    leaves = inputs(tree)
    got = with_gradients(_PathAttention.apply(*leaves, TreeAttention(tree, CPU), SCALE), leaves)
    for a, b in zip(got, dense(tree, leaves), strict=True):
        torch.testing.assert_close(a, b, atol=2e-5, rtol=2e-5)


@pytest.mark.parametrize("window", [None, 3, 50])
@pytest.mark.parametrize("name", TREES)
def test_flex_attention_is_attention_under_the_dense_mask(name: str, window: int | None) -> None:
    tree = TREES[name]
    leaves = [x.detach() for x in inputs(tree)]
    with torch.no_grad():
        got = flex(*leaves, tree_block_mask(tree, window, CPU), SCALE, None)
        torch.testing.assert_close(got, dense_values(tree, leaves, window), atol=1e-5, rtol=1e-5)


def dense_values(tree: Tree, leaves: list[Tensor], window: int | None) -> Tensor:
    mask = TreeAttention(tree, CPU).mask(window)
    return F.scaled_dot_product_attention(*leaves, attn_mask=mask, scale=SCALE)


@pytest.mark.parametrize("window", [None, 50])
@pytest.mark.parametrize("name", TREES)
def test_no_block_is_skipped_that_holds_a_pair_and_none_is_whole_that_misses_one(name: str, window: int | None) -> None:
    """On the CPU FlexAttention reads the rule alone; on an accelerator it trusts the blocks."""
    tree = TREES[name]
    block_mask, seen = tree_block_mask(tree, window, CPU), TreeAttention(tree, CPU).mask(window)
    count, columns = -(-len(tree) // 128), -(-(tree.prefix + len(tree)) // 128)
    partial, whole = (torch.zeros(count, columns, dtype=torch.bool) for _ in range(2))
    for table, number, which in (
        (partial, block_mask.kv_num_blocks, block_mask.kv_indices),
        (whole, block_mask.full_kv_num_blocks, block_mask.full_kv_indices),
    ):
        for row in range(count):
            table[row, which[0, 0, row, : number[0, 0, row]].long()] = True
    assert not (partial & whole).any()
    for row in range(count):
        for column in range(columns):
            cells = seen[row * 128 : row * 128 + 128, column * 128 : column * 128 + 128]
            if whole[row, column]:
                assert cells.all()
            if not (partial | whole)[row, column]:
                assert not cells.any()
    if window is None and name == "more than two blocks of 128":
        assert whole.any(), "a block that is seen by all is worth not asking about"
