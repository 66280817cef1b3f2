"""Which number a metric's name stands for, and that no other name stands for one."""

from pathlib import Path
from typing import Any

import pytest

from preceptor.study.results.cells import metric_of
from preceptor.study.score import LABEL_METRICS, TEXT_METRICS, case_score
from preceptor.tasks import load_task
from preceptor.tasks._load import _METRICS
from prepared_study import prepare_tiny


def test_a_metric_that_nobody_knows_is_no_mean_of_right_and_wrong(tmp_path: Path, tiny_tokenizer: Any) -> None:
    _, prepared = prepare_tiny(tmp_path, tiny_tokenizer)
    for name in ("auroc", "mean score", ""):
        with pytest.raises(ValueError, match="metric"):
            metric_of(prepared, name)
    for text in ("urgent", "cannot be read as any label"):
        with pytest.raises(ValueError, match="metric 'auroc'"):
            case_score(prepared.task, text, prepared.splits.test[0], "auroc")


def test_every_metric_that_a_task_may_name_is_known(tmp_path: Path, tiny_tokenizer: Any) -> None:
    assert (set(LABEL_METRICS), set(TEXT_METRICS)) == (set(_METRICS["label"]), set(_METRICS["text"]))
    _, prepared = prepare_tiny(tmp_path, tiny_tokenizer)
    example = prepared.splits.test[0]
    for name in LABEL_METRICS:
        assert case_score(prepared.task, example.target, example, name) == 1
        assert metric_of(prepared, name, prepared.task.labels[:1]).name == name
    for name in TEXT_METRICS:
        assert metric_of(prepared, name).name == "mean_score"
        assert case_score(load_task("summarization"), "", example, name) in (0, 1)
