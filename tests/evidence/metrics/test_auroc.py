"""AUROC against scikit-learn, with ties, and with patients resampled as the product resamples them."""

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from preceptor.evidence import Sample, compare, estimate, find_metric, value_of
from scored_labels import rows_of, scored_samples

AUROC = find_metric("auroc")


def by_scikit_learn(sample: Sample, weights: np.ndarray) -> float:
    """One label against the others, each label that occurs among the cases drawn and is not all of them."""
    gold, scores = sample.scored_labels()
    occurring = np.unique(gold[weights > 0])
    if len(occurring) < 2:
        return np.nan
    return float(np.mean([roc_auc_score(gold == one, scores[:, one], sample_weight=weights) for one in occurring]))


@given(scored_samples(), st.integers(0, 99))
@settings(deadline=None)
def test_with_patients_resampled_it_is_scikit_learns(sample: Sample, seed: int) -> None:
    weights = rows_of(sample, seed)
    expected = [by_scikit_learn(sample, row) for row in weights]
    assert AUROC.value(sample, weights) == pytest.approx(expected, abs=1e-12, rel=0, nan_ok=True)


@given(scored_samples(labels=3), st.integers(0, 99))
@settings(deadline=None)
def test_positive_labels_are_told_from_all_others_by_their_summed_score(sample: Sample, seed: int) -> None:
    gold, scores = sample.scored_labels()
    weights = rows_of(sample, seed)
    named = Sample(sample.groups, gold, sample.predicted, label_scores=scores, positives=(0, 2))
    both = [len(set((gold[row > 0] == 1).tolist())) == 2 for row in weights]
    expected = [
        roc_auc_score(gold != 1, scores[:, 0] + scores[:, 2], sample_weight=row) if there else np.nan
        for row, there in zip(weights, both, strict=True)
    ]
    assert AUROC.value(named, weights) == pytest.approx(expected, abs=1e-12, rel=0, nan_ok=True)


def test_with_two_labels_that_share_one_it_is_the_auroc_of_either() -> None:
    rng = np.random.default_rng(0)
    gold, share = rng.integers(2, size=50), rng.random(50).round(1)
    sample = Sample(np.arange(50), gold, (share > 0.5).astype(int), label_scores=np.column_stack([1 - share, share]))
    assert value_of(AUROC, sample) == pytest.approx(roc_auc_score(gold, share))


def test_written_labels_are_decisions_and_those_that_cannot_be_read_come_last() -> None:
    # Of label 1: two cases at 1 (one rightly), two at 0; of its four pairs one is in order, two are ties, one is not.
    assert value_of(AUROC, Sample(np.arange(4), np.array([1, 1, 0, 0]), np.array([1, 0, 1, 0]))) == 0.5
    # Label 1: (1, 0 | 0, 0): pairs 1, 1, tie, tie. Label 0: (0, 1 | 0, 0): the same.
    assert value_of(AUROC, Sample(np.arange(4), np.array([1, 1, 0, 0]), np.array([1, -1, -1, 0]))) == 0.75


def test_one_label_alone_is_undefined() -> None:
    assert value_of(AUROC, Sample(np.arange(3), np.ones(3, int), np.ones(3, int))) is None


def test_arms_are_compared_whether_or_not_they_give_scores() -> None:
    rng = np.random.default_rng(1)
    gold, patients = np.arange(200) % 2, np.repeat(np.arange(100), 2)
    good = np.clip(gold * 0.4 + rng.random(200) * 0.6, 0, 1)
    graded = Sample(patients, gold, (good > 0.5).astype(int), label_scores=np.column_stack([1 - good, good]))
    written = Sample(patients, gold, rng.integers(-1, 2, size=200))
    found, turned = compare(AUROC, [graded], [written]), compare(AUROC, [written], [graded])
    assert found.delta == -turned.delta == estimate(AUROC, graded).value - estimate(AUROC, written).value
    assert 0 < found.low < found.delta < found.high
    assert found.p == turned.p < 0.01
    assert found.differing > 50


def test_the_same_ranks_among_other_cases_are_no_difference() -> None:
    gold = np.arange(60) % 2
    score = np.where(gold == 1, 0.8, 0.2)
    one, other = (
        Sample(np.arange(60), gold, gold, label_scores=np.column_stack([1 - s, s])) for s in (score, score * 0.9 + 0.05)
    )
    assert compare(AUROC, [one], [other]).differing == 0
    closer = np.where(np.arange(60) < 12, 0.5, score)
    tied = Sample(np.arange(60), gold, gold, label_scores=np.column_stack([1 - closer, closer]))
    assert compare(AUROC, [one], [tied]).differing == compare(AUROC, [tied], [one]).differing == 12


def test_ten_thousand_rows_of_two_thousand_cases_take_seconds() -> None:
    rng = np.random.default_rng(3)
    gold, share = rng.integers(2, size=2000), rng.random(2000)
    sample = Sample(np.arange(2000), gold, gold, label_scores=np.column_stack([1 - share, share]))
    weights = rng.integers(0, 3, size=(10_000, 2000)).astype(float)
    started = time.perf_counter()
    AUROC.value(sample, weights)
    assert time.perf_counter() - started < 60
