"""The pure maths of label scores, for all scores. float64 arrays of float32 sums."""

from math import inf

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.special import log_softmax

from preceptor.study.label_scores.calibration import (
    TAUS,
    Array,
    as_scores,
    calibrated,
    choose_tau,
    label_probabilities,
    mean_scores,
)

NATS = st.floats(-80, 0, width=32)


@st.composite
def scores_and_shift(draw: st.DrawFn) -> tuple[Array, Array]:
    """Scores [prompts, labels] and a constant for each label."""
    labels, prompts = draw(st.integers(2, 6)), draw(st.integers(1, 12))
    return draw(arrays(np.float64, (prompts, labels), elements=NATS)), draw(arrays(np.float64, labels, elements=NATS))


@given(scores_and_shift())
def test_tau_0_changes_nothing(drawn: tuple[Array, Array]) -> None:
    scores, means = drawn
    assert (calibrated(scores, means, 0.0) == scores).all()
    np.testing.assert_allclose(label_probabilities(scores, means, 0.0), np.exp(log_softmax(scores, axis=-1)))


@given(scores_and_shift())
def test_a_constant_of_each_label_is_undone_by_tau_1_where_the_means_hold_it(drawn: tuple[Array, Array]) -> None:
    scores, constant = drawn
    moved = scores + constant
    before, after = (calibrated(one, mean_scores(one), 1.0) for one in (scores, moved))
    np.testing.assert_allclose(after, before, atol=1e-9)
    np.testing.assert_allclose(
        label_probabilities(moved, mean_scores(moved), 1.0), label_probabilities(scores, mean_scores(scores), 1.0)
    )


@given(scores_and_shift(), st.sampled_from(TAUS))
def test_what_all_labels_share_decides_nothing(drawn: tuple[Array, Array], tau: float) -> None:
    scores, means = drawn
    np.testing.assert_allclose(
        label_probabilities(scores, means - 3.5, tau), label_probabilities(scores, means, tau), atol=1e-12
    )


@given(scores_and_shift(), st.sampled_from(TAUS))
def test_probabilities_are_those_of_the_calibrated_scores(drawn: tuple[Array, Array], tau: float) -> None:
    shares = label_probabilities(*drawn, tau)
    np.testing.assert_allclose(shares.sum(axis=-1), 1.0)
    left = calibrated(*drawn, tau)
    assert (shares[np.arange(len(left)), left.argmax(axis=-1)] == shares.max(axis=-1)).all()


@given(st.lists(st.sampled_from([-inf, 0.0, 0.25, 0.5]), min_size=3, max_size=3))
def test_the_smallest_of_equally_good_taus_is_chosen(merits: list[float]) -> None:
    assert choose_tau(dict(zip(TAUS, merits, strict=True)).__getitem__) == TAUS[merits.index(max(merits))]


def test_without_a_prompt_there_is_nothing_to_take_away() -> None:
    assert mean_scores(as_scores([], 3)).tolist() == [0.0, 0.0, 0.0]
    assert mean_scores(as_scores([[-1, -2], [-3, -2]], 2)).tolist() == [-2.0, -2.0]
    with pytest.raises(ValueError, match="reshape"):
        as_scores([1.0, 2.0, 3.0], 2)
