"""All numbers of these tests are float64."""

import io
import json
import os
import re
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console
from scipy import optimize, stats
from sklearn.metrics import brier_score_loss, f1_score, roc_auc_score
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.proportion import proportion_confint

import preceptor
from preceptor.comparison import PredictionsCompared, compare_predictions
from preceptor.errors import InputError
from preceptor.progress import late_progress
from prediction_files import Rows, label_rows, score_rows, write_rows


def compared(folder: Path, a: Rows, b: Rows, **options: Any) -> PredictionsCompared:
    files = write_rows(folder / "new.jsonl", a), write_rows(folder / "old.jsonl", b)
    return compare_predictions(*files, **{"group": "patient", **options})


def right(rows: Rows) -> np.ndarray:
    return np.array([row["answer"] == row["gold"] for row in rows])


def tango_statistic(only_a: int, only_b: int, n: int, difference: float) -> float:
    """Tango 1998, section 3, the constrained likelihood maximised numerically."""

    def unlikely(share_b: float) -> float:
        share_a = share_b + difference
        rest = 1 - share_a - share_b
        counts = ((only_a, share_a), (only_b, share_b), (n - only_a - only_b, rest))
        return -sum(count * np.log(max(share, 1e-300)) for count, share in counts if count)

    bounds = (max(0.0, -difference), (1 - difference) / 2)
    share_b = optimize.minimize_scalar(unlikely, bounds=bounds, method="bounded", options={"xatol": 1e-12}).x
    return (only_a - only_b - n * difference) / np.sqrt(n * (2 * share_b + difference * (1 - difference)))


def patient_resamples(differences: np.ndarray, cases: np.ndarray, level: float, telling: int) -> tuple[float, float]:
    """Percentiles of the pooled mean, patients drawn anew by scipy, at the expanded level of Hesterberg (2015)."""
    tail = stats.norm.cdf(-np.sqrt(telling / (telling - 1)) * stats.t.ppf((1 + level) / 2, telling - 1))
    drawn = stats.bootstrap(
        (differences, cases),
        lambda d, c, axis: d.sum(axis=axis) / c.sum(axis=axis),
        paired=True,
        vectorized=True,
        n_resamples=20_000,
        method="percentile",
        confidence_level=1 - 2 * tail,
        rng=np.random.default_rng(1),
    )
    return drawn.confidence_interval


def swapped(a: np.ndarray, b: np.ndarray) -> float:
    """The p of arms that change places within patients, by scipy."""
    found = stats.permutation_test(
        (a, b),
        lambda x, y, axis: x.sum(axis=axis) - y.sum(axis=axis),
        permutation_type="samples",
        vectorized=True,
        n_resamples=50_000,
        rng=np.random.default_rng(2),
    )
    return float(found.pvalue)


def test_labels_with_one_case_a_patient_are_mcnemars_and_tangos(tmp_path: Path) -> None:
    a, b = label_rows(0.85, seed=1), label_rows(0.6, seed=2)
    found = compared(tmp_path, a, b, metric="accuracy")
    hits_a, hits_b = right(a), right(b)
    only_a, only_b = int((hits_a & ~hits_b).sum()), int((hits_b & ~hits_a).sum())
    assert (found.n, found.patients, found.differing) == (60, 60, only_a + only_b)
    assert found.delta == pytest.approx(hits_a.mean() - hits_b.mean())
    assert found.test == "exact McNemar"
    assert found.p == pytest.approx(mcnemar([[0, only_a], [only_b, 0]], exact=True).pvalue)
    assert found.p == pytest.approx(stats.binomtest(only_a, only_a + only_b).pvalue)
    assert found.interval == "Tango's score interval"
    for bounds, level in ((found.ci, 0.95), (found.ci_90, 0.90)):
        z = stats.norm.ppf((1 + level) / 2)
        assert [tango_statistic(only_a, only_b, 60, end) for end in bounds] == pytest.approx([z, -z], abs=1e-4)
    for (one,), hits in ((found.a, hits_a), (found.b, hits_b)):
        assert (one.value, one.low, one.high) == pytest.approx(
            (hits.mean(), *proportion_confint(hits.sum(), 60, method="wilson"))
        )
    assert found.verdict == "better"


def test_labels_with_several_cases_a_patient_are_resampled_by_patient(tmp_path: Path) -> None:
    a, b = (label_rows(0.8, cases=(1, 2, 4), seed=3), label_rows(0.68, cases=(1, 2, 4), seed=4))
    found = compared(tmp_path, a, b, metric="accuracy")
    patient = np.array([int(row["patient"][1:]) for row in a])
    cases = np.bincount(patient)
    hits_a, hits_b = (np.bincount(patient, weights=right(rows)) for rows in (a, b))
    telling = int((hits_a != hits_b).sum())
    assert (found.n, found.patients, found.differing) == (140, 60, telling)
    assert found.delta == pytest.approx((hits_a.sum() - hits_b.sum()) / 140)
    assert found.p == pytest.approx(swapped(hits_a, hits_b), abs=0.01)
    for bounds, level in ((found.ci, 0.95), (found.ci_90, 0.90)):
        assert bounds == pytest.approx(patient_resamples(hits_a - hits_b, cases, level, telling), abs=0.012)
    for (one,), hits in ((found.a, hits_a), (found.b, hits_b)):
        assert one.value == pytest.approx(hits.sum() / 140)
        assert (one.low, one.high) == pytest.approx(patient_resamples(hits, cases, 0.95, 60), abs=0.012)


def test_scores_are_resampled_and_swapped(tmp_path: Path) -> None:
    a, b = score_rows(0.62, seed=5), score_rows(0.58, seed=6)
    found = compared(tmp_path, a, b, metric="rouge_l")
    ours, theirs = (np.array([row["score"] for row in rows]) for rows in (a, b))
    assert found.delta == pytest.approx((ours - theirs).mean())
    assert found.p == pytest.approx(swapped(ours, theirs), abs=0.01)
    assert found.p == pytest.approx(stats.ttest_rel(ours, theirs).pvalue, abs=0.01)
    for bounds, level in ((found.ci, 0.95), (found.ci_90, 0.90)):
        expected = stats.t.interval(level, 59, (ours - theirs).mean(), stats.sem(ours - theirs))
        assert bounds == pytest.approx(expected, abs=0.004)
    (one,) = found.a
    assert (one.low, one.high) == pytest.approx(stats.t.interval(0.95, 59, ours.mean(), stats.sem(ours)), abs=0.004)


def test_macro_f1_is_that_of_scikit_learn(tmp_path: Path) -> None:
    a, b = label_rows(0.8, seed=7), label_rows(0.6, seed=8)
    found = compared(tmp_path, a, b, metric="macro_f1")
    for (one,), rows in ((found.a, a), (found.b, b)):
        expected = f1_score([row["gold"] for row in rows], [row["answer"] for row in rows], average="macro")
        assert one.value == pytest.approx(expected)


def test_scores_of_labels_are_those_of_scikit_learn(tmp_path: Path) -> None:
    rng = np.random.default_rng(9)
    a, b = label_rows(0.8, labels=("no", "yes"), seed=9), label_rows(0.6, labels=("no", "yes"), seed=10)
    for row in (*a, *b):
        yes = float(np.clip((row["answer"] == "yes") * 0.4 + rng.uniform(0, 0.6), 0, 1))
        row["scores"] = {"yes": yes, "no": 1 - yes}
    gold, likely = [row["gold"] == "yes" for row in a], [row["scores"]["yes"] for row in a]
    assert compared(tmp_path, a, b, metric="auroc").a[0].value == pytest.approx(roc_auc_score(gold, likely))
    assert compared(tmp_path, a, b, metric="brier").a[0].value == pytest.approx(brier_score_loss(gold, likely))


def test_what_a_run_keeps_is_read_as_it_is(tmp_path: Path) -> None:
    """The columns of a run's `predictions.jsonl`; `text` is what the model wrote."""
    arms = []
    for rows in (label_rows(0.8, seed=1), label_rows(0.6, seed=2)):
        sure = [
            {label: 0.8 if label == row["answer"] else 0.1 for label in ("urgent", "routine", "elective")}
            for row in rows
        ]
        arms.append(
            [
                {"id": row["id"], "text": "xyzzy", "answer": row["answer"], "score": float(hit), "scores": scores}
                for row, hit, scores in zip(rows, right(rows), sure, strict=True)
            ]
        )
    gold = {row["id"]: row["gold"] for row in label_rows(0.8)}
    by_label = compared(tmp_path, *arms, metric="accuracy", gold=gold, group="each row")
    by_score = compared(tmp_path, *arms, metric="mean_score", group="each row")
    ranked = compared(tmp_path, *arms, metric="average_precision", gold=gold, group="each row")
    assert by_label.delta == pytest.approx(by_score.delta)
    assert by_label.test == "exact McNemar"
    assert ranked.delta > 0


def test_an_answer_that_is_never_right_is_invalid_and_counts_as_wrong(tmp_path: Path) -> None:
    a, b = label_rows(1.0), label_rows(1.0)
    for row, answer in zip(a[:12], ["INVALID", "", "Urgent", "dunno"] * 3, strict=True):
        row["answer"] = answer
    found = compared(tmp_path, a, b, metric="accuracy")
    assert found.a[0].value == pytest.approx(48 / 60)
    assert (found.a[0].invalid_rate, found.b[0].invalid_rate) == (0.2, 0.0)
    assert found.verdict == "worse"
    assert "20%" in str(found)


def test_a_margin_that_the_interval_keeps_is_equivalence(tmp_path: Path) -> None:
    a, b = score_rows(0.6, patients=400, seed=11), score_rows(0.6, patients=400, seed=12)
    assert compared(tmp_path, a, b, metric="mean_score").verdict == "inconclusive"
    found = compared(tmp_path, a, b, metric="mean_score", margin=0.05)
    assert found.verdict == "equivalent"
    assert found.sentence.startswith("New and old differ by less than matters on these cases: ")


def test_fewer_than_20_patients_are_described_and_not_judged(tmp_path: Path) -> None:
    a, b = (label_rows(one, patients=19, cases=(5,), seed=1) for one in (1.0, 0.1))
    found = compared(tmp_path, a, b, metric="accuracy")
    assert (found.verdict, found.n) == ("inconclusive", 95)
    assert found.descriptive == "19 patients, and at least 20 are needed"
    assert "cannot be judged against" in found.sentence


def test_seeds_are_paired_in_order(tmp_path: Path) -> None:
    ours = [write_rows(tmp_path / f"a{seed}.jsonl", score_rows(0.7, seed=seed)) for seed in range(2)]
    theirs = [write_rows(tmp_path / f"b{seed}.jsonl", score_rows(0.6, seed=9 + seed)) for seed in range(2)]
    found = compare_predictions(ours, theirs, metric="mean_score", group="each row")
    means = [
        np.mean([row["score"] for row in score_rows(m, seed=s)]) for m, s in ((0.7, 0), (0.7, 1), (0.6, 9), (0.6, 10))
    ]
    assert [one.value for one in (*found.a, *found.b)] == pytest.approx(means)
    assert found.delta == pytest.approx(np.mean(means[:2]) - np.mean(means[2:]))
    assert [line.split("  ")[0] for line in str(found).split("\n")[1:5]] == [
        *("a, seed 1", "a, seed 2", "b, seed 1", "b, seed 2")
    ]


def test_what_is_read_and_compared_shows_what_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    console = Console(file=io.StringIO(), width=80, force_terminal=True, color_system=None)
    at_once = partial(late_progress, console=console, after=0.0)
    monkeypatch.setattr("preceptor.comparison._compare.late_progress", at_once)
    compared(tmp_path, label_rows(0.8, seed=1), label_rows(0.6, seed=2), metric="macro_f1")
    assert isinstance(console.file, io.StringIO)
    done = re.findall(r"(Reading|Comparing) .* (\d+)/(\d+) left", console.file.getvalue())
    assert {what for what, _, _ in done} == {"Reading", "Comparing"}
    for bar in ("Reading", "Comparing"):
        counted, total = [(int(n), int(of)) for what, n, of in done if what == bar][-1]
        assert counted == total > 1


def test_gold_and_patients_come_from_wherever_they_are(tmp_path: Path) -> None:
    a, b = label_rows(0.8, cases=(1, 2), seed=1), label_rows(0.6, cases=(1, 2), seed=2)
    whole = compared(tmp_path, a, b, metric="accuracy")
    gold, group = ({row["id"]: row[key] for row in a} for key in ("gold", "patient"))
    bare = [[{"id": row["id"], "answer": row["answer"]} for row in rows] for rows in (a, b)]
    known = pd.DataFrame({"id": list(gold), "gold": gold.values(), "patient": group.values(), "age": 70})
    known.to_csv(tmp_path / "known.csv", index=False)
    file = tmp_path / "known.csv"
    for options in (
        {"gold": gold, "group": group},
        {"gold": known, "group": known},
        {"gold": file, "group": str(file)},
    ):
        assert compared(tmp_path, *bare, metric="accuracy", **options) == whole
    frames = [pd.DataFrame(rows) for rows in bare]
    assert compare_predictions(*frames, metric="accuracy", gold=known, group=known).ci == whole.ci


@settings(max_examples=10, deadline=None)
@given(st.randoms(use_true_random=False), st.integers(0, 3))
def test_neither_order_nor_side_matters(tmp_path_factory: pytest.TempPathFactory, rng: Any, seed: int) -> None:
    folder = tmp_path_factory.mktemp("order")
    a, b = label_rows(0.8, seed=seed), label_rows(0.65, seed=seed + 10)
    once = compared(folder, a, b, metric="accuracy", margin=0.1)
    shuffled = [rng.sample(rows, len(rows)) for rows in (a, b)]
    assert compared(folder, *shuffled, metric="accuracy", margin=0.1) == once
    turned = compared(folder, b, a, metric="accuracy", margin=0.1)
    assert (turned.delta, turned.p) == pytest.approx((-once.delta, once.p))
    assert turned.ci == pytest.approx((-once.ci[1], -once.ci[0]))
    assert {once.verdict, turned.verdict} in ({"better", "worse"}, {"equivalent"}, {"inconclusive"})


FIRST_CALL = """
import json, sys, time
import preceptor
found = preceptor.compare_predictions(*sys.argv[1:], metric="macro_f1", group="patient")
heavy = [name for name in ("torch", "transformers", "peft") if name in sys.modules]
print(json.dumps([heavy, time.process_time(), found.n]))
"""


def test_the_first_call_on_500_rows_imports_no_pytorch_and_takes_under_5_seconds(tmp_path: Path) -> None:
    """Seconds of the processor, of which a busy machine takes none away."""
    files = [write_rows(tmp_path / f"{n}.jsonl", label_rows(0.8, patients=500, seed=n)) for n in range(2)]
    command = [sys.executable, "-c", FIRST_CALL, *map(str, files)]
    alone = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}  # threads that wait would count as work
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | alone, check=True)
    heavy, seconds, n = json.loads(done.stdout)
    assert (heavy, n) == ([], 500)
    assert seconds < 5


def test_the_front_of_the_package_has_it_and_nothing_else_by_chance() -> None:
    assert preceptor.compare_predictions is compare_predictions
    assert "compare_predictions" in preceptor.__all__
    with pytest.raises(AttributeError, match="no attribute 'compare_prediction'"):
        preceptor.compare_prediction  # noqa: B018 - asking is the test


def test_a_metric_that_these_cases_leave_undefined(tmp_path: Path) -> None:
    rows = label_rows(1.0, labels=("yes",))
    with pytest.raises(InputError, match="AUROC is undefined for these cases"):
        compared(tmp_path, rows, rows, metric="auroc")
