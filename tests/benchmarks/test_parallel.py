"""The benchmark of dealing: its pairs, and that its rows hold what they say."""

from benchmarks._shapes import SHAPES, Shape

from benchmarks import parallel


def test_pairs_of_mixed_length_are_drawn_alike_and_keep_what_they_share() -> None:
    shape = Shape("mixed", pairs=16, shared=20, own=100, answer=8)
    pairs = parallel._of_mixed_length(shape, 3)
    assert pairs == parallel._of_mixed_length(shape, 3)
    lengths = {len(pair.prompt) for pair in pairs}
    assert len(lengths) > 10
    assert min(lengths) < 110 < 130 < max(lengths)
    assert len({tuple(pair.prompt[:20]) for pair in pairs}) == 1


def test_rows_compare_the_process_with_the_most_with_the_one_that_has_the_least() -> None:
    steps = [parallel._of_mixed_length(Shape("mixed", pairs=5, shared=10, own=60, answer=8), seed) for seed in range(4)]
    row = parallel._most_over_least("mixed", steps, 2, 1536, 1.0)
    assert row.ours > row.peer > 0, "five pairs cannot fall evenly"
    assert not row.holds
    waiting = parallel._waiting("mixed", steps, 2, 1536)
    assert waiting.ratio > row.ratio, "a process that has the most in one step has less in the next"
    assert waiting.holds is None


def test_pairs_of_one_length_fall_evenly() -> None:
    steps = [parallel.draw_pairs(SHAPES["d"], range(3, 3000), 2)]
    assert parallel._most_over_least("d", steps, 2, 1536, 1.1).ratio == 1
