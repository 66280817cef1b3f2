"""Average precision against scikit-learn, with ties, and with patients resampled as the product resamples them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score

from preceptor.evidence import Sample, find_metric, value_of
from scored_labels import rows_of, scored_samples

AVERAGE_PRECISION = find_metric("average_precision")


@given(scored_samples(), st.integers(0, 99))
@settings(deadline=None)
def test_with_patients_resampled_it_is_scikit_learns(sample: Sample, seed: int) -> None:
    gold, scores = sample.scored_labels()
    weights = rows_of(sample, seed)
    expected = [
        np.mean([
            average_precision_score(gold == one, scores[:, one], sample_weight=row) for one in np.unique(gold[row > 0])
        ])
        for row in weights
    ]  # fmt: skip
    assert AVERAGE_PRECISION.value(sample, weights) == pytest.approx(expected, abs=1e-12, rel=0)


def test_positive_labels_are_found_by_their_summed_score() -> None:
    gold, scores = np.array([0, 1, 2, 1]), np.array([[0.5, 0.2, 0.3], [0.6, 0.4, 0.0], [0.1, 0.2, 0.7], [0, 1.0, 0]])
    sample = Sample(np.arange(4), gold, gold, label_scores=scores, positives=(0, 2))
    assert value_of(AVERAGE_PRECISION, sample) == 1
    assert value_of(AVERAGE_PRECISION, Sample(np.arange(1), np.array([1]), np.array([1]), positives=(0,))) is None
