"""Accuracy, macro-F1 and sensitivity, by hand and against scikit-learn."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, f1_score, recall_score

from preceptor.evidence import Sample, find_metric, value_of


def value(name: str, sample: Sample) -> float | None:
    return value_of(find_metric(name), sample)


def labels(gold: list[int], predicted: list[int], *positives: int) -> Sample:
    return Sample(np.arange(len(gold)), np.array(gold), np.array(predicted), positives=positives)


def test_accuracy_counts_invalid_as_wrong() -> None:
    assert value("accuracy", labels([0, 1, 1, 0], [0, 1, -1, 1])) == 0.5


def test_macro_f1_by_hand_averages_only_labels_in_gold_and_takes_invalid_as_a_miss() -> None:
    # Label 0: 1 hit, predicted 1, gold 2 -> 2/3. Label 1: 1 hit, predicted 2, gold 2 -> 1/2. Label 2 is not in gold.
    sample = labels([0, 0, 1, 1], [0, 1, 1, -1])
    assert value("macro_f1", sample) == pytest.approx((2 / 3 + 1 / 2) / 2)
    assert value("macro_f1", labels([0, 0, 1, 1], [0, 2, 1, 1])) == pytest.approx((2 / 3 + 1) / 2)


def test_sensitivity_takes_the_named_labels_together() -> None:
    # Levels 0 and 1 are urgent: of three urgent cases, one is missed, and 0 answered with 1 is no miss.
    assert value("sensitivity", labels([0, 1, 1, 2], [1, 1, 2, 0], 0, 1)) == pytest.approx(2 / 3)


def test_sensitivity_without_a_positive_case_is_undefined() -> None:
    assert value("sensitivity", labels([1, 2], [0, 2], 0)) is None


def test_a_metric_of_labels_refuses_scores() -> None:
    with pytest.raises(ValueError, match="needs labels"):
        value("accuracy", Sample(np.arange(1), scores=np.ones(1)))


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(-1, 4)), min_size=1, max_size=40))
def test_metrics_agree_with_scikit_learn(pairs: list[tuple[int, int]]) -> None:
    gold, predicted = (np.array(column) for column in zip(*pairs, strict=True))
    sample = labels(gold, predicted, 0)
    macro_f1 = f1_score(gold, predicted, labels=np.unique(gold), average="macro", zero_division=0)
    assert value("accuracy", sample) == pytest.approx(accuracy_score(gold, predicted))
    assert value("macro_f1", sample) == pytest.approx(macro_f1)
    if 0 in gold:
        assert value("sensitivity", sample) == pytest.approx(recall_score(gold == 0, predicted == 0))
