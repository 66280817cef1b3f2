"""Metrics of several labels a case against scikit-learn, with patients resampled as the product resamples them."""

import warnings
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, average_precision_score, f1_score, jaccard_score, roc_auc_score

from preceptor.evidence import Sample, compare, estimate, find_metric, judge, value_of
from scored_labels import rows_of
from set_samples import set_samples

SETS: dict[str, Callable[..., float]] = {
    "jaccard": partial(jaccard_score, average="samples", zero_division=1.0),
    "sample_f1": partial(f1_score, average="samples", zero_division=1.0),
    "micro_f1": partial(f1_score, average="micro", zero_division=1.0),
    "subset_accuracy": accuracy_score,
}


@pytest.mark.parametrize("name", SETS)
@given(sample=set_samples(), seed=st.integers(0, 99))
@settings(deadline=None, max_examples=25)
def test_with_patients_resampled_it_is_scikit_learns(name: str, sample: Sample, seed: int) -> None:
    """LEADER trap 12: both sets empty is 1 and one empty is 0, as scikit-learn has it with `zero_division=1`."""
    gold, predicted, _ = sample.sets()
    weights = rows_of(sample, seed)[:5]
    expected = [SETS[name](gold, predicted, sample_weight=row) for row in weights]
    assert find_metric(name).value(sample, weights) == pytest.approx(expected, abs=1e-12, rel=0)


@given(set_samples(), st.integers(0, 99))
@settings(deadline=None, max_examples=25)
def test_average_precision_of_a_case_is_scikit_learns_over_cases_that_have_labels(sample: Sample, seed: int) -> None:
    gold, scores = sample.scored_sets()
    weights, labelled = rows_of(sample, seed)[:5], gold.any(axis=1)
    expected = [
        average_precision_score(gold[labelled], scores[labelled], average="samples", sample_weight=row[labelled])
        if row[labelled].sum()
        else np.nan
        for row in weights
    ]
    found = find_metric("case_average_precision").value(sample, weights)
    assert found == pytest.approx(expected, abs=1e-12, rel=0, nan_ok=True)


@pytest.mark.parametrize(
    ("name", "of_scikit_learn"), [("auroc", roc_auc_score), ("average_precision", average_precision_score)]
)
@given(sample=set_samples(), seed=st.integers(0, 99), listed=st.booleans())
@settings(deadline=None, max_examples=25)
def test_the_mean_over_labels_is_scikit_learns_over_those_that_are_defined(
    name: str, of_scikit_learn: Callable[..., float], sample: Sample, seed: int, listed: bool
) -> None:
    gold, scores = sample.scored_sets()
    asked = (0, 1) if listed else tuple(range(gold.shape[1]))
    if listed:
        sample = replace(sample, positives=asked)
    weights = rows_of(sample, seed)[:5]

    def mean(row: np.ndarray) -> float:
        drawn = gold[row > 0]
        two_sided = [one for one in asked if drawn[:, one].any() and (name != "auroc" or not drawn[:, one].all())]
        found = [of_scikit_learn(gold[:, one], scores[:, one], sample_weight=row) for one in two_sided]
        return float(np.mean(found)) if found else np.nan

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        expected = [mean(row) for row in weights]
    assert find_metric(name).value(sample, weights) == pytest.approx(expected, abs=1e-12, rel=0, nan_ok=True)


@given(sample=set_samples(), seed=st.integers(0, 99))
@settings(deadline=None, max_examples=25)
def test_what_ranks_a_label_does_not_depend_on_the_others(sample: Sample, seed: int) -> None:
    """P1-5, P3-4: a label's AUROC is of its own scores. One that a resample gives a single value is left out of the
    mean there, and is no zero in it.
    """
    weights = rows_of(sample, seed)[:5]
    assert sample.gold_sets is not None
    labels = np.flatnonzero(sample.gold_sets.any(axis=0))
    alone = [find_metric("auroc").value(replace(sample, positives=(int(one),)), weights) for one in labels]
    together = find_metric("auroc").value(sample, weights)
    for at, mean in enumerate(together):
        known = [one[at] for one in alone if not np.isnan(one[at])]
        assert mean == pytest.approx(np.mean(known) if known else np.nan, nan_ok=True)


def few(gold: list[list[int]], given: list[list[int]], **columns: list[int]) -> Sample:
    found = {name: np.array(column) for name, column in columns.items()}
    unknown = {"unknown": np.zeros(len(gold), int)} | found
    sets = {"gold_sets": np.array(gold, bool), "predicted_sets": np.array(given, bool)}
    return Sample(np.arange(len(gold)), **sets, **unknown)


@pytest.mark.parametrize("name", ["jaccard", "sample_f1", "subset_accuracy"])
def test_empty_sets(name: str) -> None:
    """LEADER trap 12: both empty = 1, one empty = 0."""
    metric = find_metric(name)
    assert value_of(metric, few([[0, 0]], [[0, 0]])) == metric.score(frozenset(), frozenset()) == 1
    assert value_of(metric, few([[0, 0]], [[0, 1]])) == metric.score(frozenset(), frozenset("a")) == 0
    assert value_of(metric, few([[0, 1]], [[0, 0]])) == metric.score(frozenset("a"), frozenset()) == 0


def test_unknown_labels_and_what_cannot_be_read_are_wrong() -> None:
    """LEADER trap 11: a label that is not in the list is a miss, and an unread answer is right nowhere."""
    gold, right = [[1, 0], [0, 0]], [[1, 0], [0, 0]]
    unknown = few(gold, right, unknown=[1, 2])
    assert [value_of(find_metric(name), unknown) for name in SETS] == pytest.approx([1 / 4, 1 / 3, 2 / 5, 0])
    unread = few(gold, [[0, 0], [0, 0]], predicted=[-1, -1])
    assert [value_of(find_metric(name), unread) for name in SETS] == [0, 0, 0, 0]
    assert unread.invalid_rate == 1


def test_a_case_without_labels_has_none_to_rank() -> None:
    metric = find_metric("case_average_precision")
    scores = np.array([[0.9, 0.5, 0.1], [0.2, 0.2, 0.2]])
    sample = replace(few([[0, 1, 1], [0, 0, 0]], [[0, 1, 1], [0, 0, 0]]), label_scores=scores)
    assert value_of(metric, sample) == pytest.approx((1 / 2 + 2 / 3) / 2)
    assert value_of(metric, few([[0, 0]], [[0, 0]])) is None


@pytest.mark.parametrize("name", [*SETS, "case_average_precision", "auroc", "average_precision"])
@given(sample=set_samples(foreign=True))
@settings(deadline=None, max_examples=15)
def test_any_sample_gives_a_share(name: str, sample: Sample) -> None:
    value = value_of(find_metric(name), sample)
    assert value is None or 0 <= value <= 1


@pytest.mark.parametrize("name", [*SETS, "case_average_precision", "auroc"])
def test_intervals_and_paired_tests_are_by_patient(name: str) -> None:
    """An arm that sees the labels dimly is better than one that guesses; two cases a patient count as one."""
    rng, metric = np.random.default_rng(0), find_metric(name)
    gold = np.repeat(rng.random((80, 3)) < 0.4, 2, axis=0)
    patients = np.repeat(np.arange(80), 2)

    def arm(noise: float) -> Sample:
        scores = np.clip(gold * (1 - noise) + rng.random(gold.shape) * noise, 0, 1)
        none = np.zeros(len(gold), int)
        sets = {"gold_sets": gold, "predicted_sets": scores > 0.5, "unknown": none}
        return Sample(patients, predicted=none, label_scores=scores, **sets)

    good, bad = arm(0.6), arm(1.0)
    found, turned = compare(metric, [good], [bad], swapped=499), compare(metric, [bad], [good], swapped=499)
    assert found.delta == -turned.delta == pytest.approx(value_of(metric, good) - value_of(metric, bad))
    assert (found.n, found.patients, found.differing > 40) == (160, 80, True)
    assert 0 < found.low < found.delta < found.high
    assert judge(found, found.p).verdict == "better"
    one = estimate(metric, good)
    assert one.low < one.value < one.high
    doubled = estimate(metric, good.take(np.repeat(np.arange(160), 2)))
    assert (doubled.low, doubled.high) == pytest.approx((one.low, one.high))


def test_a_mean_over_labels_needs_patients_with_each() -> None:
    """A class that too few patients have decides nothing; a mean over cases needs no such thing."""
    gold = np.arange(60)[:, None] < np.array([30, 4])
    none = np.zeros(60, int)
    right = Sample(np.arange(60), predicted=none, gold_sets=gold, predicted_sets=gold, unknown=none)
    wrong = replace(right, predicted_sets=~gold)
    assert compare(find_metric("auroc"), [right], [wrong], swapped=99).smallest_class == 4
    first = [replace(one, positives=(0,)) for one in (right, wrong)]
    assert compare(find_metric("auroc"), first[:1], first[1:], swapped=99).smallest_class == 30
    assert compare(find_metric("jaccard"), [right], [wrong], swapped=99).smallest_class is None
