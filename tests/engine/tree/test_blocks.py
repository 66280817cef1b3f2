from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from preceptor.engine.tree.blocks import Block, blocks
from preceptor.engine.tree.layout import layout

# Few tokens, so that sequences share prefixes; long ones, so that trees outgrow a small block.
SEQUENCES = st.lists(st.lists(st.integers(0, 2), min_size=1, max_size=60), min_size=1, max_size=12)


@given(SEQUENCES)
def test_blocks_meet_every_pair_on_a_path_once_and_no_other(sequences: list[list[int]]) -> None:
    end = layout(sequences).end
    met: dict[tuple[int, int], int] = {}
    for block in blocks(end):
        own = range(block.start, block.stop)
        for key in own:
            for query in own:
                seen = key <= query if block.chain else key <= query < end[key]
                if seen:
                    met[query, key] = met.get((query, key), 0) + 1
            for query in range(block.stop, block.reach):
                met[query, key] = met.get((query, key), 0) + 1
    nodes = range(len(end))
    assert met == {(query, key): 1 for query in nodes for key in nodes if key <= query < end[key]}


@given(SEQUENCES)
def test_blocks_cover_the_tree_in_order(sequences: list[list[int]]) -> None:
    end = layout(sequences).end
    found = blocks(end)
    assert found[0].start == 0
    assert found[-1].stop == len(end)
    assert all(a.stop == b.start for a, b in pairwise(found))
    assert all(block.stop <= block.reach <= len(end) for block in found)


def test_one_sequence_is_one_chain() -> None:
    assert blocks(layout([list(range(500))]).end) == [Block(0, 500, 500, chain=True)]


def test_many_short_answers_under_a_prompt_are_one_block() -> None:
    prompt = list(range(100, 300))
    tree = layout([[*prompt, label, 7, 8] for label in range(20)])
    assert blocks(tree.end) == [Block(0, 200, 260, chain=True), Block(200, 260, 260, chain=False)]


def test_long_branches_are_blocks_of_their_own() -> None:
    prompt = list(range(100, 200))
    tree = layout([prompt + [n] * 70 for n in range(2)])
    assert blocks(tree.end) == [
        Block(0, 100, 240, chain=True),
        Block(100, 170, 170, chain=True),
        Block(170, 240, 240, chain=True),
    ]
