"""Arms with named slots, taken out and loaded as their users load them."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

from preceptor.errors import InputError, PreceptorError
from preceptor.models import PROMPT_FILE, SlotSettings, load_policy
from preceptor.ship import export
from preceptor.ship._in_process import answers_of
from preceptor.ship._measured_model import NOT_LOADED, MeasuredModel, mistakes
from preceptor.ship._replayed import Replayed
from preceptor.study import held_out, open_arm
from ship.slot_runs import QUIET, checked, finished, lora

SLOTS: dict[str, Any] = {
    "domain": lora(),
    "task": lora(r=2),
    "scale": {"type": "IA3", "target_modules": "all-linear", "feedforward_modules": []},
    "soft": {"type": "P_TUNING", "num_virtual_tokens": 4, "encoder_hidden_size": 16},
}
STAGES: dict[str, Any] = {
    "first": {"kind": "sft", "train": ["domain"]},
    "stack": {"kind": "sft", "after": "first", "use": ["domain"], "train": ["task"]},
    "scaled": {"kind": "sft", "train": ["scale"]},
    "prompted": {"kind": "sft", "train": ["soft"], "learning_rate": 0.05},
}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, tiny_model_folder: Path) -> Path:
    """Stacks and other kinds of adapters on Llama. Read it, do not change it."""
    arms = ["base", "stack", "scaled", "prompted"]
    primary = [["stack", "base"]]
    folder = tmp_path_factory.mktemp("slots")
    return finished(folder, tiny_model_folder, slots=SLOTS, stages=STAGES, arms=arms, primary=primary)


def test_a_stack_is_a_folder_for_each_adapter_which_peft_loads_together(run: Path, tmp_path: Path) -> None:
    arm = open_arm(run, "urgency", "stack")
    checked(arm, "adapter", tmp_path / "out")
    assert sorted(path.name for path in (tmp_path / "out").iterdir() if path.is_dir()) == ["domain", "task"]
    assert {path.stat().st_mode & 0o077 for path in (tmp_path / "out").rglob("*")} == {0}
    said = (tmp_path / "out" / "README.md").read_text()
    assert 'model.base_model.set_adapter(["domain", "task"])' in said
    files = json.loads((tmp_path / "out" / "export.json").read_text())["files"]
    assert {"domain/adapter_config.json", "task/adapter_model.safetensors", "README.md"} <= set(files)
    with pytest.raises(InputError, match="--overwrite"):
        export(arm, "adapter", tmp_path / "out", console=QUIET)
    (tmp_path / "out" / "task" / "diary.txt").write_text("written into the export")
    with pytest.raises(InputError, match="something else lies there"):
        export(arm, "adapter", tmp_path / "out", overwrite=True, console=QUIET)


def test_a_stack_with_an_adapter_left_out_is_noticed(run: Path, tmp_path: Path, monkeypatch: Any) -> None:
    from preceptor.ship import _reload

    def first_alone(base: Any, folders: dict[str, Path]) -> Any:
        return with_adapters(base, dict(list(folders.items())[:1]))

    with_adapters = _reload.with_adapters
    monkeypatch.setattr(_reload, "with_adapters", first_alone)
    said = r"slot task is not loaded: the answers are those of the arm without it\..*not the model that was measured"
    with pytest.raises(PreceptorError, match=said):
        export(open_arm(run, "urgency", "stack"), "adapter", tmp_path / "out", console=QUIET)


@pytest.mark.parametrize("name", ["stack", "scaled", "prompted"])
def test_what_adapters_do_is_known_without_them_and_at_other_strengths(run: Path, name: str) -> None:
    arm = open_arm(run, "urgency", name)
    prompts, model = held_out(arm).test[:6], MeasuredModel(arm)
    policy = load_policy(arm.source, None, dtype=arm.numerics.torch_dtype)
    untouched = [
        Replayed("c", one.text, one.text, 1, 1, one.logprobs)
        for one in answers_of(policy, arm.task.answer.max_new_tokens)([], prompts)
    ]
    itself, gaps = model.gap(prompts, untouched), {}
    for factors, cause in mistakes(model.slots):
        with model.at_strength(factors):
            gaps[str(cause)] = model.gap(prompts, untouched)
        assert model.gap(prompts, untouched) == itself
    assert len({*gaps.values(), itself}) == len(gaps) + 1, "each mistake makes another model"
    found = gaps[str(NOT_LOADED)]
    assert found is not None
    assert itself is not None
    assert found < 1e-5 < 1e-3 < itself
    assert len(gaps) == {"stack": 1 + 2 + 3 + 3 + 1, "scaled": 1, "prompted": 1}[name]


def test_the_strengths_of_wrong_merges() -> None:
    def factors(**settings: Any) -> list[float]:
        slots = {"one": SlotSettings(**lora(r=16, lora_alpha=32, **settings))}
        return [one for strengths, cause in mistakes(slots) for one in strengths.values() if cause.kind == "merge"]

    assert factors() == [2, 1 / 2, 16, 4]
    assert factors(use_rslora=True) == [2, 1 / 8, 4, 1 / 4]


def test_a_stack_is_merged_into_the_sum(run: Path, tmp_path: Path) -> None:
    arm = open_arm(run, "urgency", "stack")
    done = checked(arm, "merged", tmp_path / "out")
    assert done.rounding is not None
    assert (done.rounding.weight_error, done.rounding.update_error) == (0, 0)
    assert arm.folder is not None
    weights = load_file(tmp_path / "out" / "model.safetensors")
    plain = AutoModelForCausalLM.from_pretrained(arm.source.location).state_dict()
    name = "model.layers.0.mlp.up_proj"
    total = plain[f"{name}.weight"].clone()
    for slot, scale in (("domain", 8 / 4), ("task", 8 / 2)):
        factors = load_file(arm.folder / "slots" / slot / "adapter_model.safetensors")
        a, b = (factors[f"base_model.model.{name}.lora_{one}.weight"] for one in "AB")
        assert b.abs().max() > 0
        total += scale * b @ a
    assert torch.allclose(weights[f"{name}.weight"], total, atol=1e-6)


def test_adapters_of_other_types_are_merged(run: Path, tmp_path: Path) -> None:
    arm = open_arm(run, "urgency", "scaled")
    done = checked(arm, "merged", tmp_path / "merged")
    assert done.rounding is not None
    assert done.rounding.update_error == 0
    checked(arm, "adapter", tmp_path / "adapter")
    assert "(IA3)" in (tmp_path / "adapter" / "README.md").read_text()


def test_vectors_in_front_are_an_adapter_and_cannot_be_merged(run: Path, tmp_path: Path) -> None:
    arm = open_arm(run, "urgency", "prompted")
    checked(arm, "adapter", tmp_path / "out")
    assert arm.folder is not None
    maker = (arm.folder / "slots" / "soft" / PROMPT_FILE).read_bytes()
    assert (tmp_path / "out" / PROMPT_FILE).read_bytes() == maker
    assert f"`{PROMPT_FILE}` is what makes its vectors" in (tmp_path / "out" / "README.md").read_text()
    assert PROMPT_FILE in json.loads((tmp_path / "out" / "export.json").read_text())["files"]
    base = AutoModelForCausalLM.from_pretrained(arm.source.location)
    assert PeftModel.from_pretrained(base, tmp_path / "out").active_peft_config.num_virtual_tokens == 4
    for to in ("merged", "gguf"):
        with pytest.raises(InputError, match=r"soft stand in front of the tokens.*--to adapter"):
            export(arm, to, tmp_path / to, console=QUIET)
