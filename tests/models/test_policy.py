import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from preceptor.errors import InputError
from preceptor.models import AdapterSettings, ModelSource, encode, find_model, load_policy, new_policy, save_policy

SETTINGS = AdapterSettings(rank=4, alpha=8)
IDS = torch.arange(3, 23).reshape(2, 10)


def logits(policy: Any) -> torch.Tensor:
    with torch.no_grad():
        return policy.model(input_ids=IDS).logits


def new(source: ModelSource, adapter: AdapterSettings | None = SETTINGS, seed: int = 0) -> Any:
    return new_policy(source, adapter, seed=seed, dtype=torch.float32)


def disturb(policy: Any) -> Any:
    """Move every trainable weight, as training would."""
    with torch.no_grad():
        for weight in policy.model.parameters():
            if weight.requires_grad:
                weight += 0.05
    return policy


def trainable(policy: Any) -> set[str]:
    return {name for name, weight in policy.model.named_parameters() if weight.requires_grad}


def test_a_new_adapter_changes_no_output(tiny_source: ModelSource) -> None:
    base = load_policy(tiny_source, None, dtype=torch.float32)
    assert torch.equal(logits(new(tiny_source)), logits(base))
    assert not trainable(base)
    assert base.model.config._attn_implementation == "sdpa"


def test_an_adapter_sits_on_every_linear_layer_but_the_last(tiny_source: ModelSource) -> None:
    names = trainable(new(tiny_source))
    assert all("lora_" in name for name in names)
    layers = {name.split(".lora_")[0].rsplit(".", 1)[1] for name in names}
    assert layers == {"q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"}


def test_the_seed_alone_decides_a_new_adapter(tiny_source: ModelSource) -> None:
    def a_matrices(seed: int) -> torch.Tensor:
        weights = new(tiny_source, seed=seed).model.named_parameters()
        return torch.cat([weight.flatten() for name, weight in weights if "lora_A" in name])

    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    first = a_matrices(7)
    assert torch.equal(torch.rand(3), expected), "making a policy used up the caller's random numbers"
    assert torch.equal(a_matrices(7), first)
    assert not torch.equal(a_matrices(8), first)


def test_a_saved_adapter_comes_back_the_same(tiny_source: ModelSource, tmp_path: Path) -> None:
    policy = disturb(new(tiny_source))
    save_policy(policy, tmp_path / "stage")
    again = load_policy(tiny_source, tmp_path / "stage", dtype=torch.float32)
    assert torch.equal(logits(again), logits(policy))
    assert not trainable(again)
    assert (again.slots["default"].rank, again.slots["default"].alpha) == (4, 8)
    continued = load_policy(tiny_source, tmp_path / "stage", dtype=torch.float32, trainable=True)
    assert trainable(continued) == trainable(policy)


def test_a_saved_adapter_is_safetensors_without_a_path_of_this_machine(
    tiny_source: ModelSource, tmp_path: Path
) -> None:
    save_policy(new(tiny_source), tmp_path / "stage")
    folder = tmp_path / "stage" / "adapter"
    assert sorted(file.name for file in folder.iterdir()) == ["adapter_config.json", "adapter_model.safetensors"]
    text = (folder / "adapter_config.json").read_text(encoding="utf-8")
    assert str(tiny_source.location) not in text
    assert json.loads(text)["base_model_name_or_path"] == "tiny"
    assert (tmp_path / "stage").stat().st_mode & 0o077 == 0
    assert folder.stat().st_mode & 0o077 == 0


def test_saving_twice_writes_the_same_bytes_and_leaves_nothing_aside(tiny_source: ModelSource, tmp_path: Path) -> None:
    policy = disturb(new(tiny_source))
    saved = []
    for _ in range(2):
        save_policy(policy, tmp_path)
        saved.append({file.name: file.read_bytes() for file in (tmp_path / "adapter").iterdir()})
    assert saved[0] == saved[1]
    assert [file.name for file in tmp_path.iterdir()] == ["adapter"]


def test_every_weight_can_be_tuned_instead(tiny_source: ModelSource, tmp_path: Path) -> None:
    policy = disturb(new(tiny_source, None))
    assert len(trainable(policy)) == len(list(policy.model.parameters()))
    save_policy(policy, tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ["model"]
    assert torch.equal(logits(load_policy(tiny_source, tmp_path, dtype=torch.float32)), logits(policy))
    find_model(str(tmp_path / "model"))  # stands alone as a model folder


def test_adapter_weights_stay_float32_on_a_16_bit_backbone(tiny_source: ModelSource, tmp_path: Path) -> None:
    policy = new_policy(tiny_source, SETTINGS, seed=0, dtype=torch.bfloat16)
    save_policy(policy, tmp_path)
    for one in (policy, load_policy(tiny_source, tmp_path, dtype=torch.bfloat16)):
        assert {w.dtype for n, w in one.model.named_parameters() if "lora_" in n} == {torch.float32}
        assert {w.dtype for n, w in one.model.named_parameters() if "lora_" not in n} == {torch.bfloat16}


def test_a_folder_without_a_policy_is_refused(tiny_source: ModelSource, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="neither adapter/ nor model/"):
        load_policy(tiny_source, tmp_path, dtype=torch.float32)


def test_a_pickled_adapter_is_refused(tiny_source: ModelSource, tmp_path: Path) -> None:
    save_policy(new(tiny_source), tmp_path)
    (tmp_path / "adapter" / "adapter_model.safetensors").rename(tmp_path / "adapter" / "adapter_model.bin")
    with pytest.raises(InputError, match="no adapter_model"):
        load_policy(tiny_source, tmp_path, dtype=torch.float32)


def test_missing_weights_are_never_made_up(tiny_model_folder: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(tiny_model_folder, tmp_path / "model"))
    weights = load_file(folder / "model.safetensors")
    del weights["model.layers.1.mlp.up_proj.weight"]
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(InputError, match=r"1 weights .*layers\.1\.mlp\.up_proj"):
        new(find_model(str(folder)))


@pytest.mark.parametrize("kind", ["model", "encoder"])
def test_weights_of_another_size_are_never_drawn_anew(request: Any, tmp_path: Path, kind: str) -> None:
    folder = Path(shutil.copytree(request.getfixturevalue(f"tiny_{kind}_folder"), tmp_path / "model"))
    config = folder / "config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"intermediate_size": 64}))
    with pytest.raises(InputError, match=r"weights are of another size than its config\.json says, .*layer"):
        new(find_model(str(folder)))


@pytest.mark.usefixtures("no_network")
def test_nothing_here_opens_a_socket(tiny_model_folder: Path, tmp_path: Path) -> None:
    source = find_model(str(tiny_model_folder))
    for adapter in (SETTINGS, None):
        policy = new(source, adapter)
        encode(policy.tokenizer, [{"role": "user", "content": "x"}], "y")
        save_policy(policy, tmp_path / str(adapter is None))
        load_policy(source, tmp_path / str(adapter is None), dtype=torch.float32)


def test_a_policy_shows_neither_weights_nor_words(tiny_source: ModelSource) -> None:
    assert "Linear" not in repr(new(tiny_source))
    assert "Tokenizer" not in repr(new(tiny_source))
