"""The Brier score against scikit-learn, and that less of it is better in all that follows from a comparison."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import brier_score_loss

from preceptor.evidence import Sample, compare, find_metric, gain, judge, sentence, value_of
from scored_labels import rows_of, scored_samples

BRIER = find_metric("brier")
MINUS = "\N{MINUS SIGN}"


@given(scored_samples(), st.integers(0, 99))
@settings(deadline=None)
def test_it_is_half_the_sum_over_labels_and_with_two_labels_scikit_learns(sample: Sample, seed: int) -> None:
    gold, scores = sample.scored_labels()
    weights = rows_of(sample, seed)
    one_hot = np.eye(scores.shape[1])[gold]
    expected = [np.average(((scores - one_hot) ** 2).sum(axis=1) / 2, weights=row) for row in weights]
    assert BRIER.value(sample, weights) == pytest.approx(expected, abs=1e-12, rel=0)
    two, share = (gold > 0).astype(int), scores[:, 1]
    of_two = Sample(sample.groups, two, two, label_scores=np.column_stack([1 - share, share]))
    expected = [brier_score_loss(two, share, sample_weight=row, pos_label=1) for row in weights]
    assert BRIER.value(of_two, weights) == pytest.approx(expected, abs=1e-12, rel=0)


def test_an_answer_that_cannot_be_read_is_no_better_than_a_wrong_one() -> None:
    gold = np.array([0, 1, 2])
    for predicted, value in (([0, 1, 2], 0), ([1, 2, 0], 1), ([-1, -1, -1], 1), ([0, 1, -1], 1 / 3)):
        assert value_of(BRIER, Sample(np.arange(3), gold, np.array(predicted))) == pytest.approx(value)


def test_less_is_better_in_interval_test_verdict_and_words() -> None:
    rng = np.random.default_rng(0)
    gold, patients = np.arange(300) % 2, np.repeat(np.arange(150), 2)

    def arm(certainty: float) -> Sample:
        share = np.clip(0.5 + certainty * (gold - 0.5) + rng.normal(0, 0.1, 300), 0, 1)
        return Sample(patients, gold, (share > 0.5).astype(int), label_scores=np.column_stack([1 - share, share]))

    good, bad = arm(0.7), arm(0.3)
    found = compare(BRIER, [good], [bad])
    assert found.high < 0
    assert found.p < 0.001
    judged = judge(found, found.p, margin=0.2, better=BRIER.better)
    assert (judged.verdict, judged.less_than_matters, judged.below_margin) == ("better", True, True)
    assert judge(compare(BRIER, [bad], [good]), 0.001, better=BRIER.better).verdict == "worse"
    # What is better by more than the margin is not below it, although the difference is a negative number.
    assert not judge(found, found.p, margin=0.01, better=BRIER.better).below_margin
    assert gain(-0.1, (-0.2, -0.05), "brier") == "-0.10 Brier score (less is better) [-0.20, -0.05]".replace("-", MINUS)
    words = {"task": "t", "metric": "brier", "a": "SFT", "b": "the base model", "p_adjusted": found.p}
    said = sentence(found, judged, **words)
    assert said.startswith(f"SFT is better than the base model on t, but by less than matters: {MINUS}0.")
    assert "Brier score (less is better)" in said
