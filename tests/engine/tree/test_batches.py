from hypothesis import given
from hypothesis import strategies as st

from preceptor.engine import distinct_prefixes
from preceptor.engine.tree.batches import padded_tokens, schedule, split_into_batches, split_into_trees, steps_per_epoch

sizes = st.tuples(st.integers(1, 30), st.integers(1, 9), st.integers(1, 3), st.integers(0, 99))
units = st.lists(st.lists(st.lists(st.integers(0, 2), min_size=1, max_size=6), min_size=1, max_size=2), max_size=10)


@given(sizes)
def test_every_example_comes_once_an_epoch(size: tuple[int, int, int, int]) -> None:
    count, batch_size, epochs, seed = size
    steps = schedule(count, batch_size, epochs, seed)
    per_epoch = steps_per_epoch(count, batch_size)
    assert len(steps) == epochs * per_epoch
    assert all(1 <= len(step) <= batch_size for step in steps)
    for epoch in range(epochs):
        seen = [i for step in steps[epoch * per_epoch : (epoch + 1) * per_epoch] for i in step]
        assert sorted(seen) == list(range(count))


def test_the_seed_alone_decides_the_order() -> None:
    assert schedule(50, 8, 2, 1) == schedule(50, 8, 2, 1)
    assert schedule(50, 8, 2, 1) != schedule(50, 8, 2, 2)
    first, second = schedule(50, 50, 2, 1)
    assert first != second, "every epoch has an order of its own"


@given(units, st.integers(1, 20))
def test_trees_part_the_units_and_keep_the_budget(batch: list[list[list[int]]], budget: int) -> None:
    trees = split_into_trees(range(len(batch)), lambda i: batch[i], budget)
    assert sorted(i for tree in trees for i in tree) == list(range(len(batch)))
    for tree in trees:
        nodes = distinct_prefixes([sequence for i in tree for sequence in batch[i]])
        assert nodes <= budget or len(tree) == 1


@given(units, st.integers(1, 40))
def test_batches_part_the_units_keep_the_budget_and_pad_little(batch: list[list[list[int]]], budget: int) -> None:
    batches = split_into_batches(range(len(batch)), lambda i: batch[i], budget)
    assert sorted(i for one in batches for i in one) == list(range(len(batch)))
    for one in batches:
        sequences = [sequence for i in one for sequence in batch[i]]
        padded = padded_tokens(sequences)
        assert len(one) == 1 or (padded <= budget and 16 * (padded - sum(map(len, sequences))) <= padded)


def test_units_of_one_length_fill_a_batch() -> None:
    batch = [[[0] * length] for length in (4, 9, 4, 9, 4, 9)]
    assert split_into_batches(range(6), lambda i: batch[i], 18) == [[1, 3], [5], [0, 2, 4]]


def test_units_that_begin_alike_share_a_tree() -> None:
    batch = [[[1, 1, 1, 1, 5]], [[2, 2, 2, 2, 5]], [[1, 1, 1, 1, 6]], [[2, 2, 2, 2, 6]]]
    assert split_into_trees(range(4), lambda i: batch[i], 6) == [[0, 2], [1, 3]]
