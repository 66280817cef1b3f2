"""A stage that goes on from another has every tensor that it left, and only its head is new: tiny models, float32."""

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from preceptor.engine import sequence_states
from preceptor.errors import PreceptorError
from preceptor.models import (
    BACKBONE,
    HEAD,
    ModelSource,
    Policy,
    Slot,
    SlotSettings,
    check_handover,
    heads_of,
    save_policy,
    slot_weights,
    start_policy,
)

LORA = SlotSettings(type="LORA", r=4, lora_alpha=8, target_modules="all-linear")
FIRST: dict[str, Slot] = {"one": LORA, "senses-head": SlotSettings(type=HEAD, outputs=7, pool="mean")}
SECOND: dict[str, Slot] = {"one": LORA, "head": SlotSettings(type=HEAD, outputs=2, pool="attention")}
IDS = [2, *range(5, 25), 3]


@pytest.fixture(params=["llama", "bert"])
def source(request: pytest.FixtureRequest, tiny_source: ModelSource, encoder_source: ModelSource) -> ModelSource:
    return tiny_source if request.param == "llama" else encoder_source


@pytest.fixture(params=["adapter", "every weight"])
def whole(request: pytest.FixtureRequest) -> bool:
    return bool(request.param == "every weight")


def start(source: ModelSource, slots: dict[str, Slot], folder: Path | None, whole: bool) -> Policy:
    slots = {name: slot for name, slot in slots.items() if slot.type == HEAD or not whole}
    return start_policy(source, folder, slots, [*slots, *([BACKBONE] if whole else [])], seed=0, dtype=torch.float32)


@pytest.fixture
def left(source: ModelSource, whole: bool, tmp_path: Path) -> Policy:
    """A policy of a first stage, away from where it began, saved."""
    policy = start(source, FIRST, None, whole)
    drawn = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for name in policy.learning:
            for weight in slot_weights(policy.model, name).values():
                weight += 0.1 * torch.randn(weight.shape, generator=drawn)
    save_policy(policy, tmp_path)
    policy.model.eval()
    return policy


def without_heads(policy: Policy) -> dict[str, torch.Tensor]:
    return {name: one for name, one in policy.model.state_dict().items() if not name.startswith("heads.")}


def test_after_the_swap_every_tensor_is_the_first_stages_and_only_the_head_is_new(
    source: ModelSource, whole: bool, left: Policy, tmp_path: Path
) -> None:
    """Trap 4."""
    moved = start(source, SECOND, tmp_path, whole)
    check_handover(moved, tmp_path)
    before, after = without_heads(left), without_heads(moved)
    assert before.keys() == after.keys()
    assert all(torch.equal(one, after[name]) for name, one in before.items())
    assert heads_of(moved.model).keys() == {"head"}
    assert not torch.equal(heads_of(moved.model)["head"].weight, heads_of(left.model)["senses-head"].weight[:2])


def test_the_states_before_and_after_the_swap_are_equal(
    source: ModelSource, whole: bool, left: Policy, tmp_path: Path
) -> None:
    """Trap 5."""
    moved = start(source, SECOND, tmp_path, whole)
    moved.model.eval()
    with torch.no_grad():
        states = [
            sequence_states(one.model, [IDS], heads_of(one.model)[name], share=False, at=[9])
            for one, name in ((left, "senses-head"), (moved, "head"))
        ]
    assert torch.equal(*states)


def test_both_arms_start_from_the_same_weights(source: ModelSource, whole: bool) -> None:
    """Trap 3: what a first stage starts from is what the arm without it starts from."""
    first, plain = (without_heads(start(source, slots, None, whole)) for slots in (FIRST, SECOND))
    assert first.keys() == plain.keys()
    assert all(torch.equal(one, plain[name]) for name, one in first.items())


def files_of(folder: Path, whole: bool) -> list[Path]:
    return [folder / ("model/model.safetensors" if whole else "slots/one/adapter_model.safetensors")]


@pytest.mark.parametrize("how", ["changed by a bit", "of another name"])
def test_a_tensor_that_was_not_taken_over_is_an_error(
    source: ModelSource, whole: bool, left: Policy, tmp_path: Path, how: str
) -> None:
    """Trap 4: nothing goes on from weights that were only partly loaded."""
    moved = start(source, SECOND, tmp_path, whole)
    (file,) = files_of(tmp_path, whole)
    tensors: dict[str, Any] = load_file(file)
    name = sorted(tensors)[0]
    if how == "changed by a bit":
        tensors[name] = tensors[name].clone()
        tensors[name].view(-1)[0] = torch.nextafter(tensors[name].view(-1)[0], torch.tensor(9.0))
    else:
        tensors[f"module.{name}"] = tensors.pop(name)
    save_file(tensors, file, metadata={"format": "pt"})
    if how == "of another name" and whole:  # which loading itself refuses
        with pytest.raises(Exception, match="weights of its architecture are missing"):
            start(source, SECOND, tmp_path, whole)
        return
    with pytest.raises(PreceptorError, match="1 tensors are not those that the stage before left"):
        check_handover(moved, tmp_path)


KINDS: dict[str, dict[str, Any]] = {
    "IA3": {"target_modules": "all-linear", "feedforward_modules": []},
    "LOHA": {"r": 2, "alpha": 4, "target_modules": "all-linear"},
    "VERA": {"r": 4, "target_modules": ["q_proj"]},
    "PREFIX_TUNING": {"num_virtual_tokens": 4},
    "PROMPT_TUNING": {"num_virtual_tokens": 4},
    "P_TUNING": {"num_virtual_tokens": 4, "encoder_hidden_size": 8},
}


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("kind", KINDS)
def test_an_adapter_of_any_kind_is_taken_over(
    tiny_source: ModelSource, kind: str, dtype: torch.dtype, tmp_path: Path
) -> None:
    """On a backbone in float32 and in bfloat16."""
    slots: dict[str, Slot] = {"own": SlotSettings(type=kind, **KINDS[kind])}
    policy = start_policy(tiny_source, None, slots, ["own"], seed=0, dtype=dtype)
    with torch.no_grad():
        for weight in slot_weights(policy.model, "own").values():
            weight += 0.1
    save_policy(policy, tmp_path)
    again = start_policy(tiny_source, tmp_path, slots, ["own"], seed=1, dtype=dtype)
    check_handover(again, tmp_path)
    with torch.no_grad():
        next(iter(slot_weights(again.model, "own").values())).add_(1.0)
    with pytest.raises(PreceptorError, match="tensors are not those that the stage before left"):
        check_handover(again, tmp_path)
