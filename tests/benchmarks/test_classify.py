"""The benchmark of training an encoder with a head: its batches, and that both sides do the same work; float32."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from benchmarks.classify import BOUND, LABELS, LEARNING, NO_DROPOUT, SHAPES, Shape, draw_cases, row_of
from transformers import BertConfig


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_a_step_of_a_shape_holds_the_cases_it_says(shape: Shape) -> None:
    cases = draw_cases(shape, range(100, 200))
    lengths = [len(case.ids) for case in cases]
    assert (len(cases), min(lengths), max(lengths)) == (shape.cases, shape.shortest, shape.longest)
    assert lengths != sorted(lengths)
    assert {case.label for case in cases} == set(range(LABELS))
    assert cases == draw_cases(shape, range(100, 200))


@pytest.mark.parametrize("learning", LEARNING)
def test_both_sides_of_every_row_do_the_same_work(learning: str, tmp_path: Path) -> None:
    """Else `alternate` raises: the first losses differ."""
    sizes: dict[str, Any] = {
        "hidden_size": 48,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "intermediate_size": 96,
    }
    BertConfig(**sizes, **NO_DROPOUT).save_pretrained(tmp_path)
    done: list[float] = []
    with torch.random.fork_rng(devices=[]):
        row = row_of(tmp_path, Shape("t", 4, 5, 20), learning, steps=1, threads=1, advance=done.append)
    assert sum(done) == 2 * 2
    assert (row.case, row.bound, row.unit) == ("t", BOUND, "cases/s")
    assert row.ratio == pytest.approx(row.ours / row.peer)
    assert json.loads(json.dumps(row.holds)) is (row.ratio >= BOUND)
