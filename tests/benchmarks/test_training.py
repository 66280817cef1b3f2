"""The benchmark of training: its shapes, its arithmetic, and that both sides do the same work."""

from collections.abc import Iterator
from dataclasses import asdict

import pytest
import torch
from benchmarks._measure import alternate, at_least, at_most
from benchmarks._shapes import SHAPES, Shape, draw_labels, draw_pairs, word_tokens

from benchmarks import _ours
from preceptor.engine import Numerics, distinct_prefixes
from preceptor.errors import PreceptorError
from preceptor.models import AdapterSettings, ModelSource, new_policy
from preceptor.progress import quiet

STOP = 2
WORDS = range(100, 200)
BOUNDS = {
    "dpo": {"a": 3.5, "b": 6, "c": 3, "d": 1.3},
    "dpo-precomputed": {"a": 2.5, "b": 4.5, "c": 2, "d": 1},
    "memory": {"a": 0.5, "b": 0.5, "c": 0.5},
    "sft": {"a": 1, "b": 2.5, "c": 1, "d": 1},
    "adapters": {"a": None, "b": 1},
    "dpo-over-sft": {"a": 1.4, "b": 1.4},
    "labels": {"b": 8},
    "generation": {"b": 1.5},
    "products": {"a": 0.5, "c": 0.5},
    "defaults": {"a": None},
}


@pytest.fixture
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize(
    ("name", "pairs", "prompt", "answer", "distinct"),
    [
        ("a", 4, 256, 32, 4 * (256 + 2 * 32)),
        ("b", 8, 360, 16, 300 + 8 * (60 + 2 * 16)),
        ("c", 2, 1024, 128, 2 * (1024 + 2 * 128)),
        ("d", 8, 40, 8, 8 * (40 + 2 * 8)),
    ],
)
def test_a_step_of_a_shape_holds_the_tokens_it_says(
    name: str, pairs: int, prompt: int, answer: int, distinct: int
) -> None:
    drawn = draw_pairs(SHAPES[name], WORDS, STOP)
    assert [(len(p.prompt), len(p.chosen), len(p.rejected)) for p in drawn] == [(prompt, answer, answer)] * pairs
    assert distinct_prefixes([s.prompt + s.answer for p in drawn for s in p.sequences()]) == distinct
    assert all(p.chosen[-1] == p.rejected[-1] == STOP for p in drawn)
    assert drawn == draw_pairs(SHAPES[name], WORDS, STOP)


def test_more_pairs_of_a_shape_still_share_its_instruction_only() -> None:
    drawn = draw_pairs(SHAPES["b"], WORDS, STOP, count=16)
    assert distinct_prefixes([p.prompt for p in drawn]) == 300 + 16 * 60


def test_labels_share_nothing() -> None:
    labels = draw_labels(WORDS, STOP, 20, 4)
    assert {len(label) for label in labels} == {4}
    assert distinct_prefixes(labels) == 80


def test_the_text_of_a_sequence_is_read_as_the_same_tokens(tiny_tokenizer: object) -> None:
    words = word_tokens(tiny_tokenizer)
    assert len(words) >= 20
    for pair in draw_pairs(Shape("t", 4, 10, 10, 5), words, tiny_tokenizer.eos_token_id):
        ids = pair.prompt + pair.chosen
        assert tiny_tokenizer(tiny_tokenizer.decode(ids))["input_ids"] == ids


def test_a_row_says_whether_its_ratio_keeps_to_its_bound() -> None:
    assert asdict(at_least("rate", "a", 6.0, 2.0, "pairs/s", 3.0)) == {
        "what": "rate",
        "case": "a",
        "ours": 6.0,
        "peer": 2.0,
        "unit": "pairs/s",
        "ratio": 3.0,
        "bound": 3.0,
        "holds": True,
    }
    assert at_least("rate", "a", 5.9, 2.0, "pairs/s", 3.0).holds is False
    assert at_least("rate", "a", 5.9, 2.0, "pairs/s", None).holds is None
    assert at_most("memory", "a", 1.0, 2.0, "GiB", 0.5).holds is True
    assert at_most("memory", "a", 1.1, 2.0, "GiB", 0.5).holds is False


def test_works_take_turns_after_one_time_that_does_not_count() -> None:
    order = []
    units = []
    medians = alternate([lambda: order.append("a"), lambda: order.append("b")], 2, units.append)
    assert order == ["a", "b"] * 3
    assert len(units) == 6
    assert len(medians) == 2


def test_works_that_do_not_compute_the_same_are_not_compared() -> None:
    with pytest.raises(PreceptorError, match=r"do not compute the same: 1, 1\.01"):
        alternate([lambda: 1.0, lambda: 1.01], 1, quiet)


def test_products_are_counted_as_they_are_done(tiny_source: ModelSource, one_thread: None) -> None:
    model = new_policy(tiny_source, AdapterSettings(), seed=0, dtype=torch.float32).model
    multiply, flops = _ours.products(model, 10)
    config = model.config
    queries, keys, inner = 48 * 48, 48 * 24, 48 * 96
    assert flops == 2 * 10 * config.num_hidden_layers * (2 * queries + 2 * keys + 3 * inner)
    multiply()


def test_bounds_are_those_asked_for() -> None:
    rows = pytest.importorskip("benchmarks._rows", reason="TRL is not installed")
    assert {name: dict(each.bounds) for name, each in rows.MEASUREMENTS.items()} == BOUNDS


@pytest.mark.slow
@pytest.mark.parametrize("name", list(BOUNDS))
def test_both_sides_of_every_row_do_the_same_work(name: str, tiny_source: ModelSource, one_thread: None) -> None:
    rows = pytest.importorskip("benchmarks._rows", reason="TRL is not installed")
    done = []
    bench = rows.Bench(tiny_source, 1, Numerics(threads=1), done.append, shrink=8)
    measurement = rows.MEASUREMENTS[name]
    shape = sorted(measurement.bounds)[-1]
    made = measurement.rows(bench, SHAPES[shape].shrunk(8), measurement.bounds[shape])
    assert sum(done) == 2 * measurement.ways
    assert len(made) == (len(rows.ADAPTERS) if name == "adapters" else 1)
    for row in made:
        assert row.case == shape
        assert row.ours > 0
        assert row.ratio == pytest.approx(row.ours / row.peer)
