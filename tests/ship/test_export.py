"""A tiny run's arms taken out and loaded as their users load them: with transformers and peft, nothing of ours."""

import io
import json
import shutil
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel
from rich.console import Console
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig

from command_line import CommandLine
from preceptor.errors import InputError, PreceptorError
from preceptor.models import load_policy, stop_tokens
from preceptor.ship import _export as exporting
from preceptor.ship import export
from preceptor.ship._merge import merged
from preceptor.ship._reload import To
from preceptor.study import ArmOfRun, held_out, load_study, open_arm, run_study
from run_folders import forget_form
from tiny_model import CHAT_TEMPLATE, build_tiny_model
from tiny_study import write_study

QUIET = Console(file=io.StringIO())


@pytest.fixture
def arm(shipped_run: Path) -> ArmOfRun:
    return open_arm(shipped_run, "urgency", "sft+dpo")


@pytest.fixture(scope="session")
def whole_run(tmp_path_factory: pytest.TempPathFactory, tiny_model_folder: Path) -> Path:
    """A study that tuned every weight."""
    folder = tmp_path_factory.mktemp("whole")
    return finished(folder, tiny_model_folder, arms=["base", "sft"], adapter="none", primary=[["sft", "base"]])


def finished(folder: Path, model: Path, **changes: Any) -> Path:
    """A tiny study run in `folder`, whose data are found again."""
    file = write_study(folder / "own", model, **changes)
    study, base = load_study(str(file))
    run_study(study, base, folder / "run", QUIET, command=f"preceptor study {file}")
    return folder / "run"


def answers(model: Any, tokenizer: Any, arm: ArmOfRun, count: int = 8) -> list[str]:
    """What the model writes when it is asked through its own chat template, one case at a time."""
    said = []
    for example in held_out(arm).shown[:count]:
        asked = tokenizer.apply_chat_template(
            arm.task.messages(example), add_generation_prompt=True, return_tensors="pt", return_dict=True
        )
        with torch.no_grad():
            ids = model.generate(**asked, do_sample=False, max_new_tokens=arm.task.answer.max_new_tokens)
        said.append(tokenizer.decode(ids[0, asked["input_ids"].shape[1] :], skip_special_tokens=True))
    return said


def measured(arm: ArmOfRun, count: int = 8) -> list[str]:
    return [one.text for one in arm.predictions[:count]]


def logits(model: Any, arm: ArmOfRun) -> torch.Tensor:
    with torch.no_grad():
        found: torch.Tensor = model(torch.tensor([held_out(arm).test[0]])).logits
    return found


def test_the_arms_answer_differently(shipped_run: Path) -> None:
    arms = [open_arm(shipped_run, "urgency", name) for name in ("base", "sft+dpo")]
    assert measured(arms[0]) != measured(arms[1])


def test_an_adapter_loads_with_peft_and_answers_as_measured(arm: ArmOfRun, tmp_path: Path) -> None:
    done = export(arm, "adapter", tmp_path / "out", card="# The card", console=QUIET)
    assert done.parity is not None
    assert done.parity.total == done.parity.same_texts == 20
    assert done.parity.passes()
    base = AutoModelForCausalLM.from_pretrained(arm.source.location)
    model = PeftModel.from_pretrained(base, tmp_path / "out")
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "out")
    assert answers(model, tokenizer, arm) == measured(arm)
    assert (tmp_path / "out" / "README.md").read_text().startswith("# The card\n\n## This export\n")


def test_merged_weights_load_with_transformers_and_answer_as_measured(arm: ArmOfRun, tmp_path: Path) -> None:
    done = export(arm, "merged", tmp_path / "out", console=QUIET)
    assert done.parity is not None
    assert done.parity.same_texts == 20
    assert done.rounding is not None
    assert (done.rounding.weight_error, done.rounding.update_error) == (0, 0)
    model = AutoModelForCausalLM.from_pretrained(tmp_path / "out")
    assert not any("lora" in name for name in model.state_dict())
    assert answers(model, AutoTokenizer.from_pretrained(tmp_path / "out"), arm) == measured(arm)
    policy = load_policy(arm.source, arm.folder, dtype=torch.float32)
    assert torch.allclose(logits(model, arm), logits(policy.model, arm), atol=1e-5)
    decoding = GenerationConfig.from_pretrained(tmp_path / "out")
    assert decoding.eos_token_id == sorted(stop_tokens(policy.tokenizer))
    assert (decoding.do_sample, decoding.max_new_tokens) == (False, arm.task.answer.max_new_tokens)


def test_every_arm_and_seed_is_its_own(shipped_run: Path, tmp_path: Path) -> None:
    for name in ("base", "sft"):
        one = open_arm(shipped_run, "urgency", name)
        done = export(one, "merged", tmp_path / name, console=QUIET)
        assert done.parity is not None
        assert done.parity.same_texts == 20
    base, sft = (load_file(tmp_path / name / "model.safetensors") for name in ("base", "sft"))
    moved = {key for key in base if not torch.equal(base[key], sft[key])}
    assert len(moved) == 2 * 7  # each linear layer of both blocks, and nothing else
    assert "may repeat" in (tmp_path / "sft" / "README.md").read_text()
    assert "may repeat" not in (tmp_path / "base" / "README.md").read_text()


def test_weights_that_were_all_tuned_are_exported_as_they_are(whole_run: Path, tmp_path: Path) -> None:
    sft = open_arm(whole_run, "urgency", "sft")
    assert sft.folder is not None
    with pytest.raises(InputError, match="tuned every weight"):
        export(sft, "adapter", tmp_path / "adapter", console=QUIET)
    done = export(sft, "merged", tmp_path / "out", console=QUIET)
    assert done.parity is not None
    assert done.parity.same_texts == done.parity.total
    kept, out = (load_file(folder / "model.safetensors") for folder in (sft.folder / "model", tmp_path / "out"))
    assert kept.keys() == out.keys()
    assert all(torch.equal(kept[key], out[key]) for key in kept)


def test_the_untouched_model_has_no_adapter(shipped_run: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="base is the untouched model, which has no adapter"):
        export(open_arm(shipped_run, "urgency", "base"), "adapter", tmp_path / "out", console=QUIET)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("to", ["adapter", "merged", "gguf"])
def test_an_export_is_closed_to_others_and_says_nothing_of_this_machine_or_of_a_case(
    to: To, arm: ArmOfRun, tmp_path: Path
) -> None:
    export(arm, to, tmp_path / "out", console=QUIET)
    assert stat.S_IMODE((tmp_path / "out").stat().st_mode) == 0o700
    files = sorted((tmp_path / "out").iterdir())
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    manifest = json.loads((tmp_path / "out" / "export.json").read_text())
    assert set(manifest["files"]) == {file.name for file in files} - {"export.json"}
    assert (manifest["arm"], manifest["to"], manifest["check"]["same"]) == ("sft+dpo", to, 20)
    here = (str(tmp_path), str(arm.root), str(arm.root.parent), str(arm.source.location.parent))
    secrets = [one.fields["note"] for one in held_out(arm).shown[:5]]
    for file in files:
        raw = file.read_bytes()
        assert not any(text.encode() in raw for text in (*here, *secrets)), file.name


def test_only_an_earlier_export_is_ever_replaced(arm: ArmOfRun, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    (tmp_path / "mine" / "export.json").write_text("{}")
    (tmp_path / ".empty.part").mkdir()
    (tmp_path / ".empty.part" / "notes.txt").write_text("somebody's")
    (tmp_path / "empty").mkdir()
    for overwrite in (False, True):
        with pytest.raises(InputError, match="something else lies there"):
            export(arm, "adapter", tmp_path / "mine", overwrite=overwrite, console=QUIET)
    export(arm, "adapter", tmp_path / "empty", console=QUIET)
    with pytest.raises(InputError, match="--overwrite"):
        export(arm, "merged", tmp_path / "empty", console=QUIET)
    export(arm, "merged", tmp_path / "empty", overwrite=True, console=QUIET)
    assert not (tmp_path / "empty" / "adapter_config.json").exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == [".empty.part", "empty", "mine"]
    assert (tmp_path / ".empty.part" / "notes.txt").exists()
    (tmp_path / "empty" / "diary.txt").write_text("written into the export")
    with pytest.raises(InputError, match="something else lies there"):
        export(arm, "merged", tmp_path / "empty", overwrite=True, console=QUIET)
    with pytest.raises(InputError, match="is a file"):
        export(arm, "adapter", tmp_path / "mine" / "thesis.txt" / "out", console=QUIET)


@pytest.mark.parametrize("harm", ["short", "not JSON", "no numbers"])
def test_a_damaged_adapter_is_named(shipped_run: Path, tmp_path: Path, harm: str) -> None:
    run = tmp_path / "run"
    shutil.copytree(shipped_run, run)
    folder = open_arm(run, "urgency", "sft+dpo").folder
    assert folder is not None
    weights = folder / "adapter" / "adapter_model.safetensors"
    if harm == "short":
        weights.write_bytes(weights.read_bytes()[:-100])
    elif harm == "not JSON":
        (folder / "adapter" / "adapter_config.json").write_text("{")
    else:
        save_file({name: torch.full_like(one, torch.nan) for name, one in load_file(weights).items()}, weights)
    with pytest.raises(InputError, match="is damaged"):
        open_arm(run, "urgency", "sft+dpo")


def test_weights_merged_wrongly_are_not_let_out(arm: ArmOfRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:

    def unmerged(arm: ArmOfRun, stored: torch.dtype) -> Any:
        _, rounding = merged(arm, stored)
        return load_policy(arm.source, None, dtype=stored).model, rounding

    monkeypatch.setattr(exporting, "merged", unmerged)
    with pytest.raises(PreceptorError, match="adapter is not loaded"):
        export(arm, "merged", tmp_path / "out", console=QUIET)
    assert list(tmp_path.iterdir()) == []


def test_an_interrupted_export_leaves_nothing(arm: ArmOfRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def killed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(exporting, "write_metadata", killed)
    with pytest.raises(KeyboardInterrupt):
        export(arm, "merged", tmp_path / "out", console=QUIET)
    assert list(tmp_path.iterdir()) == []


def test_without_the_data_it_is_exported_and_said_to_be_unchecked(
    shipped_run: Path, tmp_path: Path, preceptor: CommandLine
) -> None:
    table = shipped_run.parent / "own" / "cases.csv"
    away = table.rename(table.with_suffix(".away"))
    try:
        outcome = preceptor.run(*command(shipped_run, "adapter", tmp_path / "out"))
    finally:
        away.rename(table)
    assert outcome.code == 0
    assert "Not checked against the study" in outcome.shown
    assert "Not checked" in (tmp_path / "out" / "README.md").read_text()


def command(folder: Path, to: str, out: Path, *more: object) -> Sequence[object]:
    return ("export", folder, "--task", "urgency", "--arm", "sft", "--to", to, "--output-dir", out, *more)


def test_the_command_brings_the_model_card_and_says_how_far_answers_agree(
    shipped_run: Path, tmp_path: Path, preceptor: CommandLine
) -> None:
    outcome = preceptor.run(*command(shipped_run, "merged", tmp_path / "out"))
    assert outcome.code == 0, outcome.errors
    assert "Checked: 20 of 20 labels and their probabilities are those of the study." in outcome.shown
    assert "may repeat" in outcome.shown
    card = (tmp_path / "out" / "README.md").read_text()
    assert card.startswith("---\nlibrary_name: transformers\n")
    assert "Not a medical device" in card
    assert "## This export" in card
    rule = open_arm(shipped_run, "urgency", "sft").label_rule
    assert rule is not None
    told = json.loads((tmp_path / "out" / "export.json").read_text())
    assert told["label_rule"] == rule.model_dump(mode="json")
    assert told["label_rule"].keys() == {"labels", "tau", "means", "probabilities_tau"}
    assert f"took tau = {rule.tau:g} times" in card
    assert f"{told['form']['agreement']:.0%} say the label that was scored highest" in card
    again = preceptor.run(*command(shipped_run, "merged", tmp_path / "out", "--gguf-type", "f16"))
    assert (again.code, "--gguf-type" in again.errors) == (2, True)


def test_a_template_that_asks_for_the_date_is_exported_with_the_date_that_was_measured(tmp_path: Path) -> None:
    dated = "{{ strftime_now('%d %b %Y') }}{{ '' if enable_thinking is defined else 'think aloud' }}\n" + CHAT_TEMPLATE
    model = build_tiny_model(tmp_path / "model", chat_template=dated)
    folder = finished(tmp_path, model, arms=["base"], primary=[])
    arm = open_arm(folder, "urgency", "base")
    done = export(arm, "merged", tmp_path / "out", console=QUIET)
    assert done.parity is not None
    assert done.parity.passes()
    asked: Any = arm.task.messages(held_out(arm).shown[0])
    tokenizer: Any = AutoTokenizer.from_pretrained(tmp_path / "out")
    text = tokenizer.apply_chat_template(asked, add_generation_prompt=True, tokenize=False)
    assert text.startswith("26 Jul 2024\n<|im_start|>")


def test_rounding_is_said_as_a_share_of_what_tuning_moved(arm: ArmOfRun) -> None:
    _, rounding = merged(arm, torch.bfloat16)
    assert 0.0005 < rounding.weight_error < 0.004  # bfloat16 keeps eight bits: 2^-9 at most, less on average
    assert rounding.update_error is not None
    assert rounding.update_error > rounding.weight_error
    assert "of the adapter's update" in str(rounding)


def test_weights_that_are_no_adapter_of_peft_are_noticed(arm: ArmOfRun, tmp_path: Path) -> None:
    """The check reads the written folder, not what was in memory."""
    export(arm, "adapter", tmp_path / "out", console=QUIET)
    file = tmp_path / "out" / "adapter_model.safetensors"
    save_file({name: tensor * 0 for name, tensor in load_file(file).items()}, file, metadata={"format": "pt"})
    from preceptor.ship import short_check
    from preceptor.ship._reload import answers_of_export

    parity = short_check(arm, answers_of_export(arm, "adapter", tmp_path / "out"), QUIET)
    assert parity is not None
    assert not parity.passes()
    assert parity.cause is not None
    assert parity.cause.kind == "adapter"


def test_an_adapter_measured_on_four_bits_is_merged_into_these(tmp_path: Path, tiny_model_folder: Path) -> None:
    sft = {"epochs": 4, "batch_size": 8, "learning_rate": 0.01}
    more: dict[str, Any] = {"arms": ["base", "sft"], "primary": [["sft", "base"]], "sft": sft, "load_in_4bit": True}
    arm = open_arm(finished(tmp_path, tiny_model_folder, **more), "urgency", "sft")
    measured_model = load_policy(arm.source, arm.folder, dtype=torch.float32).model
    done = export(arm, "merged", tmp_path / "out", console=QUIET)
    assert done.parity is not None
    assert done.parity.passes()
    out: Any = AutoModelForCausalLM.from_pretrained(tmp_path / "out")
    assert "quantization_config" not in json.loads((tmp_path / "out" / "config.json").read_text())
    assert {weight.dtype for weight in out.parameters()} == {torch.float32}
    on_originals = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(tiny_model_folder), _adapter(arm))
    apart = (logits(out, arm) - logits(measured_model, arm)).abs().max()
    assert apart < 1e-4
    assert (logits(on_originals, arm) - logits(measured_model, arm)).abs().max() > 100 * apart
    forget_form(arm)
    export(arm, "gguf", tmp_path / "gguf", console=QUIET)


def _adapter(arm: ArmOfRun) -> Path:
    assert arm.folder is not None
    return arm.folder / "adapter"
