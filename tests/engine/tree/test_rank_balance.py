from collections import Counter

from benchmarks._shapes import SHAPES, draw_pairs
from hypothesis import given, settings
from hypothesis import strategies as st

from preceptor.engine.tree.batches import split_into_trees
from preceptor.engine.tree.layout import distinct_prefixes
from preceptor.engine.tree.rank_balance import balance_across_ranks

Unit = tuple[tuple[int, ...], ...]

tokens = st.lists(st.integers(0, 2), min_size=1, max_size=12).map(tuple)
units_of_two = st.lists(st.tuples(tokens, tokens), max_size=12)


def sequences(unit: Unit) -> list[list[int]]:
    return [list(sequence) for sequence in unit]


def size(tree: list[Unit]) -> int:
    return distinct_prefixes([sequence for unit in tree for sequence in sequences(unit)])


@settings(max_examples=200)
@given(units_of_two, st.integers(1, 5), st.integers(1, 40))
def test_every_unit_is_dealt_once_and_every_rank_has_as_many_trees(units: list[Unit], ranks: int, budget: int) -> None:
    of_ranks = balance_across_ranks(units, sequences, budget, ranks)
    assert len(of_ranks) == ranks
    assert len({len(trees) for trees in of_ranks}) == 1
    assert Counter(unit for trees in of_ranks for tree in trees for unit in tree) == Counter(units)
    assert all(size(tree) <= budget or len(tree) == 1 for trees in of_ranks for tree in trees)


@settings(max_examples=200)
@given(units_of_two.filter(bool), st.integers(2, 5))
def test_no_rank_has_more_than_another_by_more_than_the_largest_unit(units: list[Unit], ranks: int) -> None:
    of_ranks = balance_across_ranks(units, sequences, 10_000, ranks)
    loads = [sum(map(size, trees)) for trees in of_ranks]
    assert max(loads) - min(loads) <= max(size([unit]) for unit in units)


@given(units_of_two, st.integers(1, 40))
def test_one_rank_gets_the_trees_that_one_process_makes(units: list[Unit], budget: int) -> None:
    assert balance_across_ranks(units, sequences, budget, 1) == [split_into_trees(units, sequences, budget)]


def test_the_instruction_is_in_a_rank_s_tree_once() -> None:
    units: list[Unit] = [((*range(50), 100 + n),) for n in range(4)]
    assert [size(tree) for trees in balance_across_ranks(units, sequences, 1000, 2) for tree in trees] == [52, 52]


def test_ranks_have_tokens_within_a_tenth_on_the_shapes_that_are_measured() -> None:
    for shape in SHAPES.values():
        pairs = draw_pairs(shape, range(10_000, 20_000), 2)
        of_ranks = balance_across_ranks(pairs, lambda pair: [s.prompt + s.answer for s in pair.sequences()], 1536, 2)
        loads = [
            sum(distinct_prefixes([s.prompt + s.answer for pair in tree for s in pair.sequences()]) for tree in trees)
            for trees in of_ranks
        ]
        assert max(loads) < 1.1 * min(loads), shape.title
