"""Figures on weights of snippets, by hand."""

from typing import Any, cast

import numpy as np
import pytest

from preceptor.data import Splits
from preceptor.evidence import mean_over_cases
from preceptor.study.cases import Prepared
from preceptor.study.predictions.answer_context import Snippet
from preceptor.study.predictions.prediction_files import Prediction
from preceptor.study.results.snippet_figures import snippet_figures
from preceptor.tasks import Example, load_task

TASK = load_task("long_note")


def figures(cases: list[tuple[str, list[tuple[str, float, float | None]] | None]], *, evidence: bool = True) -> Any:
    """cases: patient, and text, weight and drop of each snippet; the evidence is `smokes`."""
    task = TASK if evidence else TASK.model_copy(update={"evidence": None})
    test = [
        Example(str(n), patient, {"note": "", "evidence": "smokes"}, "unknown") for n, (patient, _) in enumerate(cases)
    ]
    prepared = Prepared(cast("Any", None), task, Splits([], [], test), [], [], [], [])
    given = [None if some is None else [Snippet(*one) for one in some] for _, some in cases]
    return snippet_figures(
        prepared, [Prediction(one.id, "", "", 1.0, None, s) for one, s in zip(test, given, strict=True)]
    )


def test_the_figures_by_hand() -> None:
    found = figures(
        [
            ("a", [("he smokes now", 0.7, 0.9), ("no alarm", 0.2, 0.1), ("fish", 0.1, 0.2)]),
            ("a", [("he smokes", 0.3, 0.2), ("fish", 0.7, 0.4)]),
            ("b", [("fish", 0.6, -0.3), ("smoke", 0.4, 0.1)]),
            ("c", [("alone", 1.0, None)]),
        ]
    )
    assert (found.cases, found.alone) == (3, 1)
    assert found.drop.value == pytest.approx(np.mean([0.9 - 0.4, 0.4 - 0.3, -0.3 + 0.1]))
    assert found.rank_correlation.cases == 1, "of two snippets there is no ranking"
    assert found.rank_correlation.value == pytest.approx(0.5)
    assert found.hits.share.value == pytest.approx(1 / 3)
    assert found.hits.by_chance == pytest.approx((1 / 3 + 1 / 2 + 0) / 3)
    assert found.hits.held == pytest.approx(2 / 3)


def test_nothing_is_said_where_nothing_was_weighed() -> None:
    assert figures([("a", None)]) is None
    assert figures([("a", [("alone", 1.0, None)])]) is None
    two: list[tuple[str, float, float | None]] = [("smokes", 0.5, 0.1), ("x", 0.5, 0.1)]
    assert figures([("a", two)], evidence=False).hits is None
    assert figures([("a", [*two, ("y", 0.0, 0.1)])]).rank_correlation is None, "equal drops have no order"
    assert figures([("a", two)]).drop.ci == (None, None), "of one patient"


def test_whole_patients_are_resampled() -> None:
    values = np.array([0.0, 0.0, 0.0, 0.0, 1.0, 1.0])
    apart = mean_over_cases(np.arange(6), values)
    together = mean_over_cases(np.array([0, 0, 0, 0, 1, 1]), values)
    assert apart.value == together.value == pytest.approx(1 / 3)
    assert (apart.patients, together.patients) == (6, 2)
    assert apart == mean_over_cases(np.arange(6), values)
    assert together.low is not None
    assert together.low <= 1 / 3
