"""Runs of one seed each are pooled, every one of them is shown, and those that do not belong together are refused."""

from typing import Any

import pytest
from benchmarks.replication import page, pooled

from preceptor.errors import InputError
from preceptor.study.results.schema import Results


def run_of(seed: int, delta: float = 0.02, test: str = "a") -> Results:
    """What is pooled of a results.json."""
    contrast: dict[str, Any] = {
        "task": "summarization", "model": "m", "metric": "fact_f1", "family": "primary", "a": "sft+dpo", "b": "sft",
        "delta": delta, "ci": [delta - 0.04, delta + 0.04], "p": 0.3, "p_adjusted": 0.6, "test": "swaps", "n": 160,
        "patients": 160, "margin": 0.05, "verdict": "inconclusive", "sentence": "open",
    }  # fmt: skip
    task = {
        "name": "summarization",
        "title": "Summary",
        "metric": "fact_f1",
        "counts": {"train": 1, "validation": 1, "test": 160, "groups_test": 160},
        "test_sha256": test,
    }
    cells = [
        {"task": "summarization", "model": "m", "arm": arm, "seed": seed, "value": 0.6} for arm in ("sft", "sft+dpo")
    ]
    study = {
        "name": "replication",
        "question": "?",
        "model": {"name": "m", "title": "M"},
        "seeds": [seed],
        "arms": ["sft", "sft+dpo"],
        "tasks": [task],
    }
    return Results.model_construct(**loose(study, cells, [contrast]))


def loose(study: dict[str, Any], cells: list[dict[str, Any]], contrasts: list[dict[str, Any]]) -> dict[str, Any]:
    """Its parts, as far as they are read here."""
    from preceptor.study.results import cell_schema, schema, task_schema
    from preceptor.study.results.contrast_schema import Contrast

    parts = dict(study) | {
        "model": schema.Model.model_construct(**study["model"]),
        "tasks": [
            task_schema.TaskPart.model_construct(**one | {"counts": task_schema.Counts(**one["counts"])})
            for one in study["tasks"]
        ],
    }
    return {
        "study": schema.StudyPart.model_construct(**parts),
        "cells": [cell_schema.Cell.model_construct(**one) for one in cells],
        "contrasts": [Contrast.model_construct(**one) for one in contrasts],
    }


def test_every_seed_stands_in_the_page_and_one_alone_speaks_of_none_other() -> None:
    runs = [run_of(0, 0.02), run_of(1, 0.04), run_of(2, -0.01)]
    (found,) = pooled(runs)
    assert found.deltas == {0: 0.02, 1: 0.04, 2: -0.01}
    assert found.delta == pytest.approx(0.05 / 3)
    assert found.interval is not None
    assert found.interval[0] < found.delta < found.interval[1]
    text = "\n".join(page(runs, [found]))
    assert all(part in text for part in ("seed 0", "seed 2", "+0.040", "-0.010", "Mistral-7B"))
    (alone,) = pooled([run_of(0)])
    assert alone.interval is None
    assert "one seed says nothing of others" in "\n".join(page([run_of(0)], [alone]))


def test_arms_that_gave_the_same_answers_in_every_seed_have_no_interval_around_0() -> None:
    runs = [run_of(seed, 0.0) for seed in (0, 1)]
    for run in runs:
        run.contrasts[0].__dict__["ci"] = (0.0, 0.0)
    (found,) = pooled(runs)
    assert (found.interval, found.half_width_90, found.smallest, found.alike) == (None, None, None, True)
    assert "the same answers in every seed" in "\n".join(page(runs, [found]))


def test_runs_that_do_not_belong_together_are_refused() -> None:
    with pytest.raises(InputError, match="no run to pool"):
        list(pooled([]))
    with pytest.raises(InputError, match="one seed of its own"):
        list(pooled([run_of(0), run_of(0)]))
    with pytest.raises(InputError, match="other held-out cases"):
        list(pooled([run_of(0), run_of(1, test="b")]))
