"""The chunks of a long case: nothing is lost, none is too long or a sliver; and settings that mean nothing."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import ValidationError
from safetensors import safe_open

from preceptor.models import (
    HEAD,
    Chunks,
    ModelSource,
    SlotSettings,
    chunk_settings,
    chunks_of,
    heads_of,
    load_policy,
    save_policy,
    saved_slots,
    start_policy,
)


@st.composite
def drawn(draw: st.DrawFn) -> tuple[Chunks, int]:
    """Chunks that settings may ask for, and how many tokens a case has."""
    length = draw(st.integers(16, 80))
    return Chunks(length, draw(st.integers(0, length - 3))), draw(st.integers(2, 700))


@given(drawn())
@example((Chunks(16, 13), 300))
@example((Chunks(16, 0), 17))
def test_every_token_stands_in_order_and_no_chunk_is_too_long_or_a_sliver(case: tuple[Chunks, int]) -> None:
    chunks, count = case
    ids = list(range(100, 100 + count))
    found = chunks.of(ids)
    if count <= chunks.length:
        assert found == [ids]
        return
    text, inner = ids[1:-1], [one[1:-1] for one in found]
    assert all((one[0], one[-1]) == (ids[0], ids[-1]) for one in found)
    assert max(map(len, found)) <= chunks.length
    assert inner[0][0] == text[0]
    read = list(inner[0])
    for before, one in pairwise(inner):
        shared = chunks.overlap
        assert before[len(before) - shared :] == one[:shared], "neighbours share the overlap"
        read += one[shared:]
        assert 2 * (len(one) - shared) >= chunks.length - 2 - shared, "at least half of what would fit"
    assert read == text
    assert max(map(len, inner)) - min(map(len, inner)) <= 1
    fewer = len(found) - 1
    assert fewer * (chunks.length - 2) - (fewer - 1) * chunks.overlap < len(text), "fewer would not hold it"


def test_chunks_of_a_case_by_hand() -> None:
    assert Chunks(16, 2).of([0, *range(10, 28), 1]) == [
        [0, *range(10, 20), 1],
        [0, *range(18, 28), 1],
    ]


def test_an_eighth_is_shared_where_nothing_is_said() -> None:
    assert chunks_of({}) is None
    assert chunks_of({"pool": "mean", "chunk_length": 256}) == Chunks(256, 32)
    assert chunks_of({"chunk_length": 16}) == Chunks(16, 2)
    assert chunks_of({"chunk_length": 16, "chunk_overlap": 0}) == Chunks(16, 0)
    assert chunk_settings(Chunks(64, 8)) == {"chunk_length": 64, "chunk_overlap": 8}
    assert chunk_settings(None) == {}


@pytest.mark.parametrize(
    ("settings", "what"),
    [
        ({"chunk_length": 15}, "chunk_length must be a whole number of at least 16"),
        ({"chunk_length": True}, "chunk_length must be a whole number"),
        ({"chunk_length": 64.0}, "chunk_length must be a whole number"),
        ({"chunk_length": "64"}, "chunk_length must be a whole number"),
        ({"chunk_length": None}, "chunk_length must be a whole number"),
        ({"chunk_length": 64, "chunk_overlap": 62}, "chunk_overlap must be a whole number from 0 to 61"),
        ({"chunk_length": 64, "chunk_overlap": -1}, "chunk_overlap must be a whole number from 0 to 61"),
        ({"chunk_length": 64, "chunk_overlap": True}, "chunk_overlap must be a whole number from 0 to 61"),
        ({"chunk_length": 64, "chunk_overlap": 8.0}, "chunk_overlap must be a whole number from 0 to 61"),
        ({"chunk_overlap": 8}, "chunk_overlap does nothing without chunk_length"),
        ({"chunk_length": 3, "pool": "max"}, "chunk_length must be .*; pool must be one of"),
        ({"chunks": 64}, "a head has the settings `pool`, `chunk_length`, `chunk_overlap`"),
    ],
)
def test_what_cannot_be_meant_is_refused(settings: dict[str, Any], what: str) -> None:
    with pytest.raises(ValidationError, match=what):
        SlotSettings(type=HEAD, **settings)


@pytest.mark.parametrize("name", ["chunk_length", "chunk_overlap"])
def test_an_adapter_has_no_chunks(name: str) -> None:
    with pytest.raises(ValidationError, match=f"{name} is a setting of a head"):
        SlotSettings(type="LORA", **{name: 64})


def test_a_saved_head_reads_the_chunks_it_read(encoder_source: ModelSource, tmp_path: Path) -> None:
    asked = SlotSettings(type=HEAD, outputs=3, pool="attention", chunk_length=64)
    policy = start_policy(encoder_source, None, {"head": asked}, ["head"], seed=0, dtype=torch.float32)
    head = heads_of(policy.model)["head"]
    assert head.chunks == Chunks(64, 8)
    for folder in ("one", "two"):
        save_policy(policy, tmp_path / folder)
    written = SlotSettings(type=HEAD, outputs=3, pool="attention", chunk_length=64, chunk_overlap=8)
    assert saved_slots(tmp_path / "one") == {"head": written}
    assert (
        heads_of(load_policy(encoder_source, tmp_path / "one", dtype=torch.float32).model)["head"].chunks == head.chunks
    )
    files = [tmp_path / folder / "slots" / "head" / "head.safetensors" for folder in ("one", "two")]
    assert files[0].read_bytes() == files[1].read_bytes()


def test_a_head_without_chunks_is_written_as_before(encoder_source: ModelSource, tmp_path: Path) -> None:
    asked = SlotSettings(type=HEAD, outputs=3, pool="mean")
    policy = start_policy(encoder_source, None, {"head": asked}, ["head"], seed=0, dtype=torch.float32)
    save_policy(policy, tmp_path)
    with safe_open(tmp_path / "slots" / "head" / "head.safetensors", framework="pt") as held:
        assert held.metadata() == {"pool": "mean"}
    assert asked.model_dump() == {"type": "head", "outputs": 3, "pool": "mean"}, "what a stage's key is made of"
