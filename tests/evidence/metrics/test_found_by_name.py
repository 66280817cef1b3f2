"""A metric is a file, and every file there is keeps the contract."""

import sys
from pathlib import Path

import numpy as np
import pytest

from preceptor.evidence import (
    Sample,
    compare,
    estimate,
    find_metric,
    judge,
    metric_names,
    metric_title,
    metrics,
    value_of,
)

N = 12
GROUPS = np.array([0, 0, 1, 2, 2, 2, 3, 4, 5, 6, 6, 7])
GOLD = np.array([0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2])
PREDICTED = np.array([0, 1, 1, -1, 1, 2, 2, 1, 2, 0, 0, -1])
LABEL_SCORES = np.round(np.random.default_rng(2).random((N, 3)), 1)
SETS = (np.random.default_rng(3).random((N, 3)) < 0.4, np.random.default_rng(4).random((N, 3)) < 0.5)
SCORES = np.linspace(0, 1, N) ** 2

FAR_OFF = '''"""The largest distance of an answer to its gold label: no sum over cases, and less is better."""

import numpy as np

title = "far-off"
explanation = "How many labels the worst answer is away."
fits = "labels"
better = "lower"


def value(sample, weights):
    gold, predicted = sample.labels()
    return np.where(weights > 0, np.abs(gold - predicted), 0).max(axis=1).astype(float)
'''


def a_sample(name: str) -> Sample:
    if find_metric(name).fits == "labels":
        return Sample(GROUPS, GOLD, PREDICTED, positives=(0, 2))
    if find_metric(name).fits == "label_scores":
        return Sample(GROUPS, GOLD, PREDICTED, label_scores=LABEL_SCORES)
    if find_metric(name).fits in ("label_sets", "set_scores"):
        unknown, unread = np.arange(N) % 5 // 4, np.where(PREDICTED < 0, -1, 0)
        sets = {"gold_sets": SETS[0], "predicted_sets": SETS[1], "unknown": unknown}
        return Sample(GROUPS, predicted=unread, label_scores=LABEL_SCORES, **sets)
    return Sample(GROUPS, scores=SCORES)


@pytest.fixture
def far_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "far_off.py").write_text(FAR_OFF)
    monkeypatch.setattr(metrics, "__path__", [*metrics.__path__, str(tmp_path)])
    yield "far_off"
    sys.modules.pop("preceptor.evidence.metrics.far_off", None)
    find_metric.cache_clear()


@pytest.mark.parametrize("name", metric_names())
def test_a_metric_says_what_it_is(name: str) -> None:
    found = find_metric(name)
    assert found.title
    assert found.explanation.endswith(".")
    assert found.better in ("higher", "lower")
    assert found.fits == "label_sets" or (found.score is None) == (found.fits not in ("text", "facts"))
    main = found.score is not None and not found.needs_positives
    assert not main or found.better == "higher", "a case's score by a main metric says how good an answer is"


@pytest.mark.parametrize("name", metric_names())
def test_a_weight_counts_a_case_so_often(name: str) -> None:
    """A row of weights gives what the repeated cases would; neither order nor scale of weights matters."""
    sample, metric = a_sample(name), find_metric(name)
    weights = np.random.default_rng(0).integers(0, 4, size=(20, N)).astype(float)
    found = metric.value(sample, weights)
    assert found.shape == (20,)
    repeated = [value_of(metric, sample.take(np.repeat(np.arange(N), row.astype(int)))) for row in weights]
    assert found == pytest.approx([np.nan if one is None else one for one in repeated], nan_ok=True)
    order = np.random.default_rng(1).permutation(N)
    assert metric.value(sample.take(order), weights[:, order]) == pytest.approx(found, nan_ok=True)
    assert metric.value(sample, 3 * weights) == pytest.approx(found, nan_ok=True)


def test_a_share_of_cases_is_the_mean_of_its_hits() -> None:
    for name in metric_names():
        if hits := find_metric(name).hits:
            assert value_of(find_metric(name), a_sample(name)) == pytest.approx(hits(a_sample(name)).mean())


def test_a_metric_that_nobody_knows_is_refused_with_those_there_are() -> None:
    for name in ("auc", "_ratio", "", "mean score"):
        with pytest.raises(ValueError, match=f"no metric '{name}'; there are accuracy, .*macro_f1"):
            find_metric(name)
    assert metric_title("quality by raters") == "quality by raters"


def test_a_new_file_is_a_metric_although_it_adds_up_over_no_cases(far_off: str) -> None:
    metric = find_metric(far_off)
    assert far_off in metric_names()
    assert metric_title(far_off) == "far-off"
    gold = np.arange(40) % 3
    good, bad = Sample(np.arange(40), gold, gold), Sample(np.arange(40), gold, 2 - gold)
    assert estimate(metric, bad).value == 2
    found = compare(metric, [good], [bad])
    assert (found.delta, found.differing, found.test) == (-2, 27, "arms swapped within patients")
    assert judge(found, 0.001).verdict == "worse"
    assert judge(found, 0.001, better=metric.better).verdict == "better"
