"""The share of pairs that interact, over all that are given together."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from preceptor.evidence import Sample, interaction_rate

LABELS = 4
SETS = st.lists(st.lists(st.booleans(), min_size=LABELS, max_size=LABELS), min_size=1, max_size=6)
PAIRS = st.sets(st.sampled_from([*combinations(range(LABELS), 2)]))


def sample(sets: list[list[bool]]) -> Sample:
    given_sets = np.array(sets, dtype=bool)
    groups = np.arange(len(sets))
    return Sample(groups, gold_sets=given_sets, predicted_sets=given_sets, unknown=np.zeros(len(sets), dtype=int))


@given(SETS, PAIRS)
def test_it_is_interacting_pairs_over_all_pairs_of_all_cases(
    sets: list[list[bool]], pairs: set[tuple[int, int]]
) -> None:
    matrix = np.zeros((LABELS, LABELS), dtype=bool)
    for i, j in pairs:
        matrix[i, j] = matrix[j, i] = True
    found = [pair for one in sets for pair in combinations(np.flatnonzero(one).tolist(), 2)]
    rate = interaction_rate(sample(sets), matrix)
    if not found:
        assert rate.value is None
    else:
        assert rate.value == pytest.approx(sum(pair in pairs for pair in found) / len(found))


def test_trap_17_the_interval_comes_from_patients_resampled() -> None:
    """All of ten patients alike: no interval but a point; half of them otherwise: a wide one."""
    matrix = np.array([[0, 1, 0], [1, 0, 0], [0, 0, 0]], dtype=bool)
    alike = interaction_rate(sample([[True, True, False]] * 10), matrix)
    assert (alike.value, alike.low, alike.high) == (1, 1, 1)
    mixed = interaction_rate(sample([[True, True, False], [True, False, True]] * 10), matrix)
    assert mixed.low is not None
    assert mixed.high is not None
    assert 0.2 < mixed.low < 0.4 < 0.5 < mixed.high
    assert mixed.patients == 20
