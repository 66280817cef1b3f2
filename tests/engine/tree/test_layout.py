import torch
from hypothesis import given
from hypothesis import strategies as st

from preceptor.engine import distinct_prefixes, layout
from preceptor.engine.tree.layout import shared_length

# Few different tokens, so that sequences share prefixes, repeat each other and are prefixes of each other.
sequences = st.lists(st.lists(st.integers(0, 2), min_size=1, max_size=7), min_size=1, max_size=8)


def prefixes(sequence: list[int]) -> list[tuple[int, ...]]:
    return [tuple(sequence[: depth + 1]) for depth in range(len(sequence))]


@given(sequences)
def test_a_path_spells_its_sequence_at_its_depths(batch: list[list[int]]) -> None:
    tree = layout(batch)
    for sequence, path in zip(batch, tree.paths, strict=True):
        assert [tree.ids[node] for node in path] == sequence
        assert [tree.positions[node] for node in path] == list(range(len(sequence)))


@given(sequences)
def test_every_distinct_prefix_stands_once(batch: list[list[int]]) -> None:
    tree = layout(batch)
    expected = len({prefix for sequence in batch for prefix in prefixes(sequence)})
    assert len(tree) == len(tree.positions) == len(tree.end) == expected
    assert distinct_prefixes(batch) == expected


@given(sequences)
def test_a_token_sees_itself_and_its_own_prefix_and_nothing_else(batch: list[list[int]]) -> None:
    tree = layout(batch)
    spelled = {}
    for sequence, path in zip(batch, tree.paths, strict=True):
        spelled |= dict(zip(path, prefixes(sequence), strict=True))
    ancestors = [[spelled[q][: len(spelled[k])] == spelled[k] for k in range(len(tree))] for q in range(len(tree))]
    assert tree.mask(torch.device("cpu")).tolist() == ancestors


@given(sequences, st.integers(0, 3), st.integers(0, 3))
def test_what_stands_in_front_is_a_chain_at_the_root_that_all_see(
    batch: list[list[int]], soft: int, prefix: int
) -> None:
    plain, tree = layout(batch), layout(batch, soft=soft, prefix=prefix)
    assert (tree.ids, len(tree)) == ([*range(-1, -1 - soft, -1), *plain.ids], soft + len(plain))
    assert tree.positions == [*range(prefix, prefix + soft), *(prefix + soft + depth for depth in plain.positions)]
    assert tree.paths == [[soft + node for node in path] for path in plain.paths]
    mask, own = (one.mask(torch.device("cpu")) for one in (tree, plain))
    assert mask.shape == (soft + len(plain), prefix + soft + len(plain))
    assert mask[:, :prefix].all()
    assert torch.equal(mask[soft:, prefix + soft :], own)
    assert mask[soft:, prefix : prefix + soft].all()
    assert torch.equal(mask[:soft, prefix:], torch.ones(soft, len(tree), dtype=torch.bool).tril())
    for path in tree.paths:
        assert mask[path[-1]].nonzero()[:, 0].tolist() == tree.keys_of(path)


@given(sequences)
def test_the_order_of_the_batch_does_not_change_the_tree(batch: list[list[int]]) -> None:
    tree, turned = layout(batch), layout(batch[::-1])
    assert (tree.ids, tree.end, tree.paths) == (turned.ids, turned.end, turned.paths[::-1])


@given(sequences)
def test_the_shared_length_is_shared_and_cannot_be_longer(batch: list[list[int]]) -> None:
    first, last = batch[0], batch[-1]
    length = shared_length(first, last)
    assert first[:length] == last[:length]
    assert length == min(len(first), len(last)) or first[length] != last[length]


def test_nothing_has_no_prefix() -> None:
    assert shared_length([], [1]) == distinct_prefixes([]) == len(layout([])) == 0
