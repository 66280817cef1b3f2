import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, f1_score, recall_score

from preceptor.evidence import METRICS, Metric, Sample, sensitivity


def value(metric: Metric, sample: Sample) -> float:
    return float(metric.value(metric.terms(sample).sum(axis=0)))


def labels(gold: list[int], predicted: list[int]) -> Sample:
    return Sample(np.arange(len(gold)), np.array(gold), np.array(predicted))


def test_accuracy_counts_invalid_as_wrong() -> None:
    assert value(METRICS["accuracy"], labels([0, 1, 1, 0], [0, 1, -1, 1])) == 0.5


def test_macro_f1_by_hand_averages_only_labels_in_gold_and_takes_invalid_as_a_miss() -> None:
    # Label 0: 1 hit, predicted 1, gold 2 -> 2/3. Label 1: 1 hit, predicted 2, gold 2 -> 1/2. Label 2 is not in gold.
    sample = labels([0, 0, 1, 1], [0, 1, 1, -1])
    assert value(METRICS["macro_f1"], sample) == pytest.approx((2 / 3 + 1 / 2) / 2)
    assert value(METRICS["macro_f1"], labels([0, 0, 1, 1], [0, 2, 1, 1])) == pytest.approx((2 / 3 + 1) / 2)


def test_sensitivity_takes_the_named_labels_together() -> None:
    # Levels 0 and 1 are urgent: of three urgent cases, one is missed, and 0 answered with 1 is no miss.
    assert value(sensitivity([0, 1]), labels([0, 1, 1, 2], [1, 1, 2, 0])) == pytest.approx(2 / 3)


def test_sensitivity_without_a_positive_case_is_undefined() -> None:
    assert np.isnan(value(sensitivity([0]), labels([1, 2], [0, 2])))


def test_mean_score() -> None:
    assert value(METRICS["mean_score"], Sample(np.arange(2), scores=np.array([0.25, 0.75]))) == 0.5


def test_a_metric_refuses_the_wrong_kind_of_output() -> None:
    with pytest.raises(ValueError, match="needs labels"):
        METRICS["accuracy"].terms(Sample(np.arange(1), scores=np.ones(1)))
    with pytest.raises(ValueError, match="needs scores"):
        METRICS["mean_score"].terms(labels([0], [0]))


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(-1, 4)), min_size=1, max_size=40))
def test_metrics_agree_with_scikit_learn(pairs: list[tuple[int, int]]) -> None:
    gold, predicted = (np.array(column) for column in zip(*pairs, strict=True))
    sample = labels(gold, predicted)
    macro_f1 = f1_score(gold, predicted, labels=np.unique(gold), average="macro", zero_division=0)
    assert value(METRICS["accuracy"], sample) == pytest.approx(accuracy_score(gold, predicted))
    assert value(METRICS["macro_f1"], sample) == pytest.approx(macro_f1)
    if 0 in gold:
        assert value(sensitivity([0]), sample) == pytest.approx(recall_score(gold == 0, predicted == 0))
