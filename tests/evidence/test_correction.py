from itertools import chain, combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from preceptor.evidence import benjamini_hochberg, closed_testing, holm

questions = st.lists(st.lists(st.floats(1e-6, 1), min_size=1, max_size=3), min_size=1, max_size=3)


def test_holm_by_hand() -> None:
    # Sorted .01, .02, .03, times 3, 2, 1, and never below the one before; in the order given.
    assert holm([0.03, 0.01, 0.02]) == pytest.approx([0.04, 0.03, 0.04])
    assert holm([]) == []


def test_benjamini_hochberg_as_they_published_it() -> None:
    """Benjamini and Hochberg 1995, section 3.2: of these fifteen p-values, at 5%, the four smallest are rejected."""
    p = [0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240, 0.4262, 0.5719, 0.6528]
    p += [0.7590, 1.0000]
    assert [value < 0.05 for value in benjamini_hochberg(p)] == [True] * 4 + [False] * 11
    assert [value < 0.05 for value in holm(p)] == [True] * 3 + [False] * 12  # Holm rejects one fewer
    assert benjamini_hochberg([]) == []


def test_closed_testing_by_hand() -> None:
    """One question: Simes, so both contrasts are claimed at .05 each. Two: the other counts with its larger p."""
    assert closed_testing([[0.01, 0.04]]) == [[pytest.approx(0.02), pytest.approx(0.04)]]
    assert closed_testing([[0.01, 0.3]]) == [[pytest.approx(0.02), pytest.approx(0.3)]]
    assert closed_testing([[0.02, 0.024], [0.001, 0.5]]) == [
        [pytest.approx(0.048), pytest.approx(0.048)],
        [pytest.approx(0.004), pytest.approx(0.5)],
    ]
    assert closed_testing([]) == []
    assert closed_testing([[0.9], [0.8]]) == [[1.0], [1.0]]


@given(questions)
def test_closed_testing_is_the_largest_p_of_every_set_that_a_contrast_stands_in(p_values: list[list[float]]) -> None:
    places = [(question, number) for question, own in enumerate(p_values) for number in range(len(own))]
    sets = list(chain.from_iterable(combinations(places, count) for count in range(1, len(places) + 1)))

    def p_of(members: tuple[tuple[int, int], ...]) -> float:
        """Bonferroni over questions, Simes within."""
        asked = {question for question, _ in members}
        simes = []
        for question in asked:
            rising = sorted(p_values[one][number] for one, number in members if one == question)
            simes.append(min(len(rising) * p / (rank + 1) for rank, p in enumerate(rising)))
        return min(1.0, len(asked) * min(simes))

    found = closed_testing(p_values)
    of_set = {members: p_of(members) for members in sets}
    for question, number in places:
        expected = max(p for members, p in of_set.items() if (question, number) in members)
        assert found[question][number] == pytest.approx(expected, rel=1e-9)


@given(questions)
def test_a_question_is_claimed_as_a_whole_where_holm_over_questions_claims_its_largest_p(
    p_values: list[list[float]],
) -> None:
    found, largest = closed_testing(p_values), [max(own) for own in p_values]
    rising, by_hand = sorted(largest), {}
    for rank, p in enumerate(rising):
        by_hand[p] = max([0.0, *by_hand.values(), min(1.0, (len(rising) - rank) * p)])
    assert [max(adjusted) for adjusted in found] == pytest.approx([by_hand[p] for p in largest])
    for own, adjusted in zip(p_values, found, strict=True):
        assert all(p <= one + 1e-12 for p, one in zip(own, adjusted, strict=True))
