"""The `pairs` stage: pairs as their maker made them, or turned round as a control."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from preceptor.preferences import Pair
from preceptor.study.stages.pairs import in_order

made = st.integers(0, 40).map(
    lambda count: [Pair(f"case-{n}", f"good {n}", f"bad {n}", "a maker") for n in range(count)]
)


@given(made, st.text(max_size=5))
def test_pairs_are_turned_round_not_at_all_all_or_by_exactly_half(pairs: list[Pair], seed: str) -> None:
    assert in_order(pairs, "given", seed) == pairs
    for order, expected in (("flipped", len(pairs)), ("random", len(pairs) // 2)):
        found = in_order(pairs, order, seed)
        assert [one.example_id for one in found] == [one.example_id for one in pairs]
        assert all({a.chosen, a.rejected} == {b.chosen, b.rejected} for a, b in zip(found, pairs, strict=True))
        assert sum(one.chosen.startswith("bad") for one in found) == expected


def test_which_half_is_turned_round_depends_on_the_seed() -> None:
    pairs = [Pair(f"case-{n}", f"good {n}", f"bad {n}", "a maker") for n in range(8)]
    halves = Counter(tuple(one.chosen for one in in_order(pairs, "random", str(seed))) for seed in range(50))
    assert len(halves) > 20
