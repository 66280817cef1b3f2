"""Which hidden states a head reads, float32: as the study says, else as the model was trained, else by its family."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import ValidationError
from safetensors.torch import load_file, save_file

from preceptor.models import (
    HEAD,
    POOLS,
    AdapterSettings,
    ModelSource,
    SlotSettings,
    find_model,
    heads_of,
    load_policy,
    pool_of,
    save_policy,
    saved_slots,
    start_policy,
    with_pools,
)

PLAIN = SlotSettings(type=HEAD, outputs=3)


def pooled_source(encoder: Path, folder: Path, said: dict[str, Any]) -> ModelSource:
    """The tiny encoder as sentence-transformers would leave it."""
    shutil.copytree(encoder, folder)
    (folder / "1_Pooling").mkdir()
    (folder / "1_Pooling" / "config.json").write_text(json.dumps(said))
    return find_model(str(folder))


@pytest.mark.parametrize(
    ("said", "pool"),
    [
        ({"pooling_mode_mean_tokens": True, "pooling_mode_cls_token": False}, "mean"),
        ({"pooling_mode_lasttoken": True}, "last"),
        ({"pooling_mode_cls_token": True}, None),
        ({"pooling_mode_max_tokens": True}, None),
        ({"pooling_mode_mean_tokens": True, "pooling_mode_cls_token": True}, None),
    ],
)
def test_the_folder_says_what_the_model_was_trained_with(
    tiny_encoder_folder: Path, tmp_path: Path, said: dict[str, Any], pool: str | None
) -> None:
    source = pooled_source(tiny_encoder_folder, tmp_path / "model", said)
    adapter = AdapterSettings()
    found = with_pools({"one": adapter, "head": PLAIN}, source)
    assert found["one"] is adapter
    assert found["head"] == (PLAIN if pool is None else SlotSettings(type=HEAD, outputs=3, pool=pool))
    asked = SlotSettings(type=HEAD, outputs=3, pool="attention")
    assert with_pools({"head": asked}, source) == {"head": asked}, "the study's word goes before the folder's"


def test_without_a_word_a_head_reads_the_token_that_has_seen_all(
    encoder_source: ModelSource, tiny_source: ModelSource
) -> None:
    for source, pool in ((encoder_source, "first"), (tiny_source, "last")):
        assert pool_of(PLAIN, source) == pool
        assert pool_of(SlotSettings(type=HEAD, outputs=3, pool="mean"), source) == "mean"
        assert with_pools({"head": PLAIN}, source) == {"head": PLAIN}
        policy = start_policy(source, None, {"head": PLAIN}, ["head"], seed=0, dtype=torch.float32)
        assert heads_of(policy.model)["head"].pool == pool


@pytest.mark.parametrize("pool", POOLS)
def test_a_saved_head_reads_what_it_read(encoder_source: ModelSource, tmp_path: Path, pool: str) -> None:
    slots = {"head": SlotSettings(type=HEAD, outputs=3, pool=pool)}
    policy = start_policy(encoder_source, None, slots, ["head"], seed=0, dtype=torch.float32)
    head = heads_of(policy.model)["head"]
    with torch.no_grad():
        for weight in head.parameters():
            weight += torch.arange(weight.numel()).view(weight.shape) / 100
    save_policy(policy, tmp_path)
    assert saved_slots(tmp_path) == slots
    again = heads_of(load_policy(encoder_source, tmp_path, dtype=torch.float32).model)["head"]
    assert again.pool == pool
    assert again.state_dict().keys() == head.state_dict().keys()
    assert all(torch.equal(weight, head.state_dict()[name]) for name, weight in again.state_dict().items())


def test_a_head_that_was_saved_before_there_was_a_choice_reads_its_familys_token(
    tiny_encoder_folder: Path, tmp_path: Path
) -> None:
    source = pooled_source(tiny_encoder_folder, tmp_path / "model", {"pooling_mode_mean_tokens": True})
    policy = start_policy(source, None, {"head": PLAIN}, ["head"], seed=0, dtype=torch.float32)
    save_policy(policy, tmp_path / "stage")
    file = tmp_path / "stage" / "slots" / "head" / "head.safetensors"
    save_file(load_file(file), file, metadata={"format": "pt"})  # as it was written then
    assert saved_slots(tmp_path / "stage") == {"head": PLAIN}
    assert heads_of(load_policy(source, tmp_path / "stage", dtype=torch.float32).model)["head"].pool == "first"


def test_a_pool_that_there_is_not_is_refused_by_name() -> None:
    with pytest.raises(ValidationError, match="pool must be one of first, last, mean, attention"):
        SlotSettings(type=HEAD, pool="max")
    with pytest.raises(ValidationError, match="a head has the settings `pool`"):
        SlotSettings(type=HEAD, layers=2)
