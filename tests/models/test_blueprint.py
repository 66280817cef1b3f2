"""A model known by its configuration alone is the model that would be loaded, without its numbers."""

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import Gemma3TextConfig, LlamaConfig

from preceptor.errors import InputError
from preceptor.models import (
    AdapterSettings,
    ModelSource,
    SlotSettings,
    adapter_slots,
    blueprint,
    find_blueprint,
    layers_of,
    new_policy,
    random_model,
    use,
)


@pytest.fixture
def bare(tiny_model_folder: Path, tmp_path: Path) -> ModelSource:
    """A folder with nothing but a configuration in it."""
    shutil.copy(tiny_model_folder / "config.json", tmp_path)
    return find_blueprint(str(tmp_path))


@pytest.mark.parametrize("adapter", [None, AdapterSettings(rank=4)])
def test_it_has_the_weights_of_the_model_itself(
    bare: ModelSource, tiny_source: ModelSource, adapter: AdapterSettings | None
) -> None:
    real = new_policy(tiny_source, adapter, seed=0, dtype=torch.float32).model
    for made in (
        blueprint(bare, adapter_slots(adapter), torch.float32),
        random_model(bare, adapter_slots(adapter), torch.float32),
    ):
        assert {name: (w.shape, w.dtype, w.requires_grad) for name, w in made.named_parameters()} == {
            name: (w.shape, w.dtype, w.requires_grad) for name, w in real.named_parameters()
        }
    assert all(weight.is_meta for weight in blueprint(bare, adapter_slots(adapter), torch.float32).parameters())


def test_it_counts_on_no_random_number(bare: ModelSource) -> None:
    loha = SlotSettings(type="LOHA", target_modules="all-linear")  # whose layers draw one while they train
    assert not any(module.training for module in blueprint(bare, {"one": loha}, torch.float32).modules())


@pytest.mark.parametrize(
    ("numbers", "settings"),
    [
        (9_216, {"type": "PROMPT_TUNING", "num_virtual_tokens": 16}),
        (184_320, {"type": "PREFIX_TUNING", "num_virtual_tokens": 16}),
        (57_600, {"type": "IA3"}),
        (460_800, {"type": "LORA", "r": 8, "target_modules": ["q_proj", "v_proj"]}),
        (921_600, {"type": "LORA", "r": 16, "target_modules": ["q_proj", "v_proj"]}),
        (305_280, {"type": "LORA", "r": 1, "target_modules": "all-linear"}),
        (4_884_480, {"type": "LORA", "r": 16, "target_modules": "all-linear"}),
        (7 * 576, {"type": "head", "outputs": 7}),
    ],
    ids=lambda one: one["type"] if isinstance(one, dict) else f"{one:,}",
)
def test_so_many_numbers_learn_on_smollm2(numbers: int, settings: dict[str, Any], tmp_path: Path) -> None:
    """Of the shapes of SmolLM2-135M, in float32; three of its nine heads have keys and values of their own."""
    LlamaConfig(
        vocab_size=49152,
        hidden_size=576,
        intermediate_size=1536,
        num_hidden_layers=30,
        num_attention_heads=9,
        num_key_value_heads=3,
        tie_word_embeddings=True,
    ).save_pretrained(tmp_path)
    slots = {"one": SlotSettings(**settings)}
    model = blueprint(find_blueprint(str(tmp_path)), slots, torch.float32)
    assert use(model, slots, slots) == {"one": numbers}
    learning = [weight for weight in model.parameters() if weight.requires_grad]
    assert sum(weight.numel() for weight in learning) == numbers
    assert all(weight.is_meta for weight in model.parameters())


def test_a_part_of_it_has_fewer_layers(bare: ModelSource) -> None:
    assert layers_of(bare) == (2, 1)
    whole, half = (blueprint(bare, {}, torch.bfloat16, layers) for layers in (None, 1))
    counts = [sum(weight.numel() for weight in model.parameters()) for model in (whole, half)]
    assert counts[1] < counts[0] < 2 * counts[1] + counts[0]
    assert {weight.dtype for weight in whole.parameters()} == {torch.bfloat16}


def test_a_slot_of_other_layers_is_counted_in_those_there_are(bare: ModelSource) -> None:
    last = SlotSettings(type="IA3", target_modules=r".*layers\.1\..*q_proj", feedforward_modules=[])
    half = blueprint(bare, {"one": last}, torch.float32, 1)
    assert any(weight.requires_grad for weight in half.parameters())
    with pytest.raises(InputError, match="slot one: PEFT cannot put it"):
        blueprint(
            bare, {"one": SlotSettings(type="IA3", target_modules=["nowhere"], feedforward_modules=[])}, torch.float32
        )


def test_layers_of_two_kinds_repeat_after_a_whole_period(tmp_path: Path) -> None:
    Gemma3TextConfig(num_hidden_layers=12, hidden_size=32, num_attention_heads=2, head_dim=16).save_pretrained(tmp_path)
    source = find_blueprint(str(tmp_path))
    assert layers_of(source) == (12, 6)
    short = blueprint(source, {}, torch.float32, 6)
    assert len(short.model.layers) == 6


def test_what_is_not_here_is_said_and_no_hub_is_asked(tmp_path: Path, no_network: None) -> None:
    for name in (str(tmp_path), "nobody/no-such-model", str(tmp_path / "nowhere" / "at" / "all")):
        with pytest.raises(InputError, match=r"config\.json"):
            find_blueprint(name)
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(InputError, match="not valid JSON"):
        find_blueprint(str(tmp_path))
    (tmp_path / "config.json").write_text('{"auto_map": {}}')
    with pytest.raises(InputError, match="code of its own"):
        find_blueprint(str(tmp_path))
    (tmp_path / "config.json").write_text('{"model_type": "nobody_knows"}')
    with pytest.raises(InputError, match="does not know"):
        layers_of(find_blueprint(str(tmp_path)))
