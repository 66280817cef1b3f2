import numpy as np
import pytest
from scipy import stats

from preceptor.evidence import Sample, estimate, find_metric
from preceptor.evidence._estimate import _of_weights


def scored(groups: np.ndarray, scores: np.ndarray) -> Sample:
    return Sample(groups, scores=scores)


def test_interval_of_a_mean_is_the_t_interval_for_well_behaved_scores() -> None:
    rng = np.random.default_rng(1)
    scores = rng.normal(0.5, 0.1, 400)
    found = estimate(find_metric("mean_score"), scored(np.arange(400), scores), seed=0)
    low, high = stats.t.interval(0.95, 399, scores.mean(), stats.sem(scores))
    assert found.value == pytest.approx(scores.mean())
    assert (found.low, found.high) == pytest.approx((low, high), abs=0.001)


def test_many_cases_of_one_patient_count_as_one_patient() -> None:
    """Ten copies of each patient's case add nothing: the interval is that of the patients."""
    scores = np.random.default_rng(2).random(30)
    once = estimate(find_metric("mean_score"), scored(np.arange(30), scores), seed=0)
    copied = estimate(find_metric("mean_score"), scored(np.tile(np.arange(30), 10), np.tile(scores, 10)), seed=0)
    assert (copied.n, copied.patients) == (300, 30)
    assert (copied.value, copied.low, copied.high) == pytest.approx((once.value, once.low, once.high))


def test_the_order_of_cases_and_a_second_run_change_nothing() -> None:
    rng = np.random.default_rng(3)
    groups, gold, predicted = rng.integers(25, size=60), rng.integers(3, size=60), rng.integers(-1, 3, size=60)
    order = rng.permutation(60)
    first = estimate(find_metric("macro_f1"), Sample(groups, gold, predicted), seed=5)
    assert first == estimate(find_metric("macro_f1"), Sample(groups, gold, predicted), seed=5)
    assert first == estimate(find_metric("macro_f1"), Sample(groups[order], gold[order], predicted[order]), seed=5)
    assert first != estimate(find_metric("macro_f1"), Sample(groups, gold, predicted), seed=6)


def test_one_patient_gives_a_value_and_no_interval() -> None:
    found = estimate(find_metric("mean_score"), scored(np.zeros(3), np.array([0.0, 0.5, 1.0])), seed=0)
    assert (found.value, found.low, found.high, found.n, found.patients) == (0.5, None, None, 3, 1)


def test_an_undefined_metric_is_none_and_a_rare_class_keeps_its_interval() -> None:
    gold, predicted = np.array([1] * 20), np.array([1] * 20)
    assert (
        estimate(find_metric("sensitivity"), Sample(np.arange(20), gold, predicted, positives=(0,)), seed=0).value
        is None
    )
    gold[:2], predicted[0] = 0, 0  # many resamples hold no positive case at all
    found = estimate(find_metric("sensitivity"), Sample(np.arange(20), gold, predicted, positives=(0,)), seed=0)
    assert (found.value, found.low, found.high) == (0.5, 0.0, 1.0)


def test_a_share_of_one_case_a_patient_has_wilsons_interval() -> None:
    """None right of 80 is no certainty of 0, as resampling would say."""
    gold = np.ones(80, int)
    for right, expected in ((0, (0.0, 0.0458)), (80, (0.9542, 1.0)), (40, (0.3930, 0.6070))):
        predicted = np.where(np.arange(80) < right, 1, 0)
        found = estimate(find_metric("accuracy"), Sample(np.arange(80), gold, predicted))
        assert (found.low, found.high) == pytest.approx(expected, abs=1e-4)
        assert found.value == right / 80
    one = estimate(find_metric("accuracy"), Sample(np.zeros(1), gold[:1], gold[:1]))
    assert (one.low, one.high) == (None, None)


def test_coverage_at_sixty_notes_of_twenty_patients() -> None:
    """The interval of a clustered mean covers the truth about as often as it says."""
    rng = np.random.default_rng(7)
    covered = 0
    for study in range(300):
        groups = rng.integers(20, size=60)
        answers = (rng.normal(size=60) + rng.normal(size=20)[groups] > 0).astype(int)
        found = estimate(find_metric("accuracy"), Sample(groups, np.ones(60, int), answers), seed=study)
        assert found.low is not None
        assert found.high is not None
        covered += found.low <= 0.5 <= found.high
    assert 0.92 <= covered / 300 <= 0.98


@pytest.mark.parametrize("patients", [20, 300])
def test_counts_of_distinct_cases_give_what_cases_do(patients: int) -> None:
    rng, metric = np.random.default_rng(1), find_metric("macro_f1")
    sample = Sample(rng.integers(patients, size=400), rng.integers(3, size=400), rng.integers(-1, 3, size=400))
    patient = sample.patient_of_case()
    weights = rng.integers(4, size=(5, patient.max() + 1)).astype(float)
    by_case = metric.value(sample, weights[:, patient])
    assert _of_weights(metric, sample, patient)(weights) == pytest.approx(by_case, abs=1e-12)
