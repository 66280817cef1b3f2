"""Slots on tiny random Llama and BERT, float32: what is active, what learns, what stays as it was."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import ValidationError
from safetensors.torch import load_file, save_file
from transformers import LlamaConfig

from preceptor.errors import InputError
from preceptor.models import (
    HEAD,
    ModelSource,
    Policy,
    Slot,
    SlotSettings,
    blueprint,
    find_blueprint,
    load_policy,
    save_policy,
    saved_slots,
    slot_weights,
    stack_problem,
    start_policy,
    use,
)

IDS = torch.arange(3, 23).reshape(2, 10)
Slots = Mapping[str, Slot]


def lora(**settings: Any) -> SlotSettings:
    return SlotSettings(type="LORA", r=4, lora_alpha=8, target_modules="all-linear", **settings)


STACKS: dict[str, Slots] = {
    "LoRA": {"one": lora()},
    "IA3": {"one": SlotSettings(type="IA3", target_modules="all-linear", feedforward_modules=[])},
    "two LoRA": {"domain": lora(), "task": lora()},
    "LoRA and head": {"one": lora(), "head": SlotSettings(type=HEAD, outputs=3)},
    "LOHA": {"one": SlotSettings(type="LOHA", r=2, alpha=4, target_modules="all-linear")},
    "RANDLORA, whose layers share a tensor": {"one": SlotSettings(type="RANDLORA", r=4, target_modules="all-linear")},
}
PROMPTS: dict[str, Slots] = {
    "prompt tuning": {"soft": SlotSettings(type="PROMPT_TUNING", num_virtual_tokens=4)},
    "p-tuning": {"soft": SlotSettings(type="P_TUNING", num_virtual_tokens=4, encoder_hidden_size=8)},
    "prefix tuning": {"soft": SlotSettings(type="PREFIX_TUNING", num_virtual_tokens=4)},
}


@pytest.fixture(params=["llama", "bert"])
def source(request: pytest.FixtureRequest, tiny_source: ModelSource, encoder_source: ModelSource) -> ModelSource:
    return tiny_source if request.param == "llama" else encoder_source


def start(source: ModelSource, slots: Slots, train: list[str] | None = None, folder: Path | None = None) -> Policy:
    return start_policy(source, folder, slots, train or list(slots), seed=0, dtype=torch.float32)


def states(policy: Policy) -> torch.Tensor:
    with torch.no_grad():
        return policy.model.eval()(input_ids=IDS, output_hidden_states=True).hidden_states[-1]


def disturb(policy: Policy, slot: str) -> None:
    """Move a slot's weights, as training would."""
    with torch.no_grad():
        for weight in slot_weights(policy.model, slot).values():
            weight += 0.05 * torch.randn(weight.shape, generator=torch.Generator().manual_seed(weight.numel()))


@pytest.mark.parametrize("name", [*STACKS, *PROMPTS])
def test_each_active_adapter_changes_the_output(source: ModelSource, name: str) -> None:
    """P1-1: a second adapter that is added and never active changes nothing, and nobody notices."""
    slots = {**STACKS, **PROMPTS}[name]
    for slot in (one for one, settings in slots.items() if settings.type != HEAD):
        policy = start(source, slots)
        before = states(policy)
        disturb(policy, slot)
        assert not torch.equal(states(policy), before), slot


def test_in_a_stack_that_learned_each_adapter_switched_off_changes_the_output(source: ModelSource) -> None:
    """P1-1: with every adapter's weights away from their start, none stands for the others."""
    slots = STACKS["two LoRA"]
    policy = start(source, slots)
    for slot in slots:
        disturb(policy, slot)
    both = states(policy)
    for slot in slots:
        use(policy.model, [slot])
        assert not torch.equal(states(policy), both)
    use(policy.model, list(slots))
    assert torch.equal(states(policy), both)


@pytest.mark.parametrize("name", STACKS)
def test_switched_off_and_on_again_a_policy_is_the_same_to_the_bit(source: ModelSource, name: str) -> None:
    policy = start(source, STACKS[name])
    adapters = [slot for slot, settings in STACKS[name].items() if settings.type != HEAD]
    for slot in adapters:
        disturb(policy, slot)
    on = states(policy)
    use(policy.model, [])
    untouched = states(load_policy(source, None, dtype=torch.float32))
    assert torch.equal(states(policy), untouched)
    assert not torch.equal(untouched, on)
    use(policy.model, list(STACKS[name]))
    assert torch.equal(states(policy), on)


@pytest.mark.parametrize("name", [*STACKS, *PROMPTS])
def test_exactly_the_named_slots_learn(source: ModelSource, name: str) -> None:
    slots = {**STACKS, **PROMPTS}[name]
    for train in ([one] for one in slots):
        policy = start(source, slots, train)
        learns = {path for path, weight in policy.model.named_parameters() if weight.requires_grad}
        assert learns == set(slot_weights(policy.model, train[0]))
        assert policy.learning == {train[0]: sum(w.numel() for w in policy.model.parameters() if w.requires_grad)}


def test_trainable_counts_are_those_of_the_formula(tiny_source: ModelSource) -> None:
    policy = start(tiny_source, {"domain": lora(), "head": SlotSettings(type=HEAD, outputs=3)})
    config = policy.model.config
    hidden, inner, layers = config.hidden_size, config.intermediate_size, config.num_hidden_layers
    heads = config.num_key_value_heads * (hidden // config.num_attention_heads)
    a_layer = 4 * (2 * (hidden + hidden) + 2 * (hidden + heads) + 3 * (hidden + inner))
    assert policy.learning == {"domain": layers * a_layer, "head": 3 * hidden}, "a causal model's head has no bias"


def test_counts_on_smollm2_are_those_that_are_published_of_its_sizes(tmp_path: Path) -> None:
    """LoRA on q_proj and v_proj of 30 layers, 576 wide with 3 of 9 heads for values, as a study of them has it."""
    sizes = {"hidden_size": 576, "num_hidden_layers": 30, "num_attention_heads": 9, "num_key_value_heads": 3}
    LlamaConfig(vocab_size=49152, intermediate_size=1536, tie_word_embeddings=True, **sizes).save_pretrained(tmp_path)
    slots = {
        "domain": SlotSettings(type="LORA", r=16, lora_alpha=32, target_modules=["q_proj", "v_proj"]),
        "task": SlotSettings(type="LORA", r=8, lora_alpha=16, target_modules=["q_proj", "v_proj"]),
        "head": SlotSettings(type=HEAD, outputs=12),
    }
    model = blueprint(find_blueprint(str(tmp_path)), slots, torch.float32)
    counts = {name: sum(weight.numel() for weight in slot_weights(model, name).values()) for name in slots}
    assert counts == {"domain": 921_600, "task": 460_800, "head": 576 * 12}


@pytest.mark.parametrize("name", [*STACKS, *PROMPTS])
def test_saved_and_loaded_a_policy_is_the_same_to_the_bit(source: ModelSource, name: str, tmp_path: Path) -> None:
    slots = {**STACKS, **PROMPTS}[name]
    policy = start(source, slots)
    for slot in slots:
        disturb(policy, slot)
    save_policy(policy, tmp_path / "stage")
    again = load_policy(source, tmp_path / "stage", dtype=torch.float32)
    assert torch.equal(states(again), states(policy))
    assert list(saved_slots(tmp_path / "stage")) == sorted(slots) == sorted(again.slots)
    for slot in slots:
        for path, weight in slot_weights(policy.model, slot).items():
            assert torch.equal(slot_weights(again.model, slot)[path], weight)
    assert not any(weight.requires_grad for weight in again.model.parameters())


@pytest.mark.parametrize("name", PROMPTS)
def test_soft_tokens_go_on_from_what_was_saved(tiny_source: ModelSource, name: str, tmp_path: Path) -> None:
    policy = start(tiny_source, PROMPTS[name])
    disturb(policy, "soft")
    save_policy(policy, tmp_path / "stage")
    again = start(tiny_source, PROMPTS[name], folder=tmp_path / "stage")
    assert torch.equal(states(again), states(policy))
    assert again.learning == policy.learning


@pytest.mark.parametrize("slot", ["lora", "l", "weight", "prefix"])
def test_a_slots_name_may_be_part_of_what_peft_calls_things(
    tiny_source: ModelSource, slot: str, tmp_path: Path
) -> None:
    policy = start(tiny_source, {slot: lora()})
    disturb(policy, slot)
    save_policy(policy, tmp_path / "stage")
    assert torch.equal(states(load_policy(tiny_source, tmp_path / "stage", dtype=torch.float32)), states(policy))


def test_a_slot_whose_file_lacks_a_weight_is_refused(tiny_source: ModelSource, tmp_path: Path) -> None:
    save_policy(start(tiny_source, {"one": lora()}), tmp_path / "stage")
    file = tmp_path / "stage" / "slots" / "one" / "adapter_model.safetensors"
    weights = load_file(file)
    save_file(dict(list(weights.items())[1:]), file)
    with pytest.raises(InputError, match="1 weights of the slot are missing"):
        load_policy(tiny_source, tmp_path / "stage", dtype=torch.float32)


def test_a_second_slot_is_put_on_what_the_first_learned(source: ModelSource, tmp_path: Path) -> None:
    first = start(source, {"domain": lora()})
    disturb(first, "domain")
    save_policy(first, tmp_path / "stage")
    both = start(source, STACKS["two LoRA"], ["task"], tmp_path / "stage")
    torch.testing.assert_close(states(both), states(first), atol=1e-6, rtol=1e-5)
    for path, weight in slot_weights(both.model, "domain").items():
        assert not weight.requires_grad
        assert torch.equal(weight, slot_weights(first.model, "domain")[path])
    assert list(both.learning) == ["task"]


def test_a_slot_that_is_not_there_or_not_active_cannot_learn(tiny_source: ModelSource) -> None:
    policy = start(tiny_source, STACKS["two LoRA"])
    with pytest.raises(RuntimeError, match="no slot other"):
        use(policy.model, ["domain", "other"])
    with pytest.raises(RuntimeError, match="task would learn without being active"):
        use(policy.model, ["domain"], ["task"])


def test_a_layer_with_another_slot_active_is_noticed(tiny_source: ModelSource, monkeypatch: Any) -> None:
    policy = start(tiny_source, STACKS["two LoRA"])
    layer = next(module for module in policy.model.modules() if hasattr(module, "lora_A"))
    monkeypatch.setattr(type(layer), "set_adapter", lambda self, names, inference_mode=False: None)
    with pytest.raises(RuntimeError, match="active and not"):
        use(policy.model, ["domain"], ["domain"])


@pytest.mark.parametrize(
    ("settings", "what"),
    [
        ({"type": "LORRA"}, "there is no slot of type 'LORRA'"),
        ({"type": "ADALORA"}, "cannot be of type ADALORA"),
        ({"type": "CPT"}, "cannot be of type CPT"),
        ({"type": "BOFT"}, "cannot be of type BOFT: it cannot be made without the numbers of the model's weights"),
        ({"type": "TINYLORA"}, "cannot be of type TINYLORA: PEFT does not read back"),
        ({"type": "TRAINABLE_TOKENS", "token_indices": [5]}, "cannot be of type TRAINABLE_TOKENS"),
        ({"type": "LORA", "rank": 8}, "PEFT refuses these settings of LORA: .*rank"),
        ({"type": "LORA", "lora_dropout": 0.1}, "lora_dropout must be 0"),
        ({"type": "LORA", "modules_to_save": ["lm_head"]}, "modules_to_save is not a part of a slot"),
        ({"type": "head", "bias": True}, "a head has the settings"),
    ],
)
def test_settings_that_mean_nothing_are_refused(settings: dict[str, Any], what: str) -> None:
    with pytest.raises(ValidationError, match=what):
        SlotSettings(**settings)


def test_what_cannot_be_active_together_is_named() -> None:
    ia3 = STACKS["IA3"]["one"]
    assert "IA3, LORA" in str(stack_problem({"a": lora(), "b": ia3}))
    assert "only one slot of type P_TUNING" in str(
        stack_problem({"a": PROMPTS["p-tuning"]["soft"]} | {"b": PROMPTS["p-tuning"]["soft"]})
    )
    assert stack_problem(STACKS["two LoRA"]) is None
    assert stack_problem(STACKS["LoRA and head"]) is None


def test_a_slot_that_does_not_fit_the_model_is_an_input_error(tiny_source: ModelSource) -> None:
    with pytest.raises(InputError, match="slot one: PEFT cannot put it on this model"):
        start(tiny_source, {"one": SlotSettings(type="LORA", target_modules=["no_such_layer"])})


def test_a_configuration_that_peft_does_not_read_again_is_an_input_error(
    tiny_source: ModelSource, tmp_path: Path
) -> None:
    save_policy(start(tiny_source, STACKS["IA3"]), tmp_path)
    file = tmp_path / "slots" / "one" / "adapter_config.json"
    file.write_text(file.read_text().replace('"feedforward_modules": []', '"feedforward_modules": ["other"]'))
    with pytest.raises(InputError, match="slots/one: PEFT does not read its configuration again"):
        saved_slots(tmp_path)
