"""Arms with named slots and with a head, taken out and loaded as their users load them."""

import io
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel
from rich.console import Console
from safetensors.torch import load_file, save_file
from transformers import AutoModel, AutoModelForCausalLM, AutoTokenizer

from command_line import CommandLine
from preceptor.errors import InputError, PreceptorError
from preceptor.models import PROMPT_FILE, SlotSettings, load_policy
from preceptor.ship import export
from preceptor.ship._export import Exported
from preceptor.ship._in_process import answers_of
from preceptor.ship._measured_model import NOT_LOADED, MeasuredModel, mistakes
from preceptor.ship._reload import To
from preceptor.ship._replayed import Replayed
from preceptor.study import ArmOfRun, held_out, load_study, open_arm, run_study
from tiny_study import write_study

QUIET = Console(file=io.StringIO())
SHORT = {"epochs": 2, "batch_size": 8, "learning_rate": 0.01, "label_token_weight": None}
HEADS = {"epochs": 6, "patience": 6, "batch_size": 8, "learning_rate": 0.03}


def lora(**settings: Any) -> dict[str, Any]:
    return {"type": "LORA", "r": 4, "lora_alpha": 8, "target_modules": "all-linear", **settings}


SLOTS: dict[str, Any] = {
    "domain": lora(),
    "task": lora(r=2),
    "scale": {"type": "IA3", "target_modules": "all-linear", "feedforward_modules": []},
    "soft": {"type": "P_TUNING", "num_virtual_tokens": 4, "encoder_hidden_size": 16},
    "head": {"type": "head"},
}
STAGES: dict[str, Any] = {
    "first": {"kind": "sft", "train": ["domain"]},
    "stack": {"kind": "sft", "after": "first", "use": ["domain"], "train": ["task"]},
    "scaled": {"kind": "sft", "train": ["scale"]},
    "prompted": {"kind": "sft", "train": ["soft"], "learning_rate": 0.05},
    "labels": {"kind": "classify", "after": "first", "use": ["domain"], "train": ["task", "head"]},
    "probe": {"kind": "classify", "train": ["head"], "learning_rate": 0.2},
}


def finished(folder: Path, model: Path, **changes: Any) -> Path:
    """A tiny study run in `folder`, whose data are found again."""
    file = write_study(folder / "own", model, sft=SHORT, classify=HEADS, **changes)
    study, base = load_study(str(file))
    run_study(study, base, folder / "run", QUIET, command=f"preceptor study {file}")
    return folder / "run"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, tiny_model_folder: Path) -> Path:
    """Stacks, other kinds of adapters and heads on Llama. Read it, do not change it."""
    arms = ["base", "stack", "scaled", "prompted", "labels", "probe"]
    primary = [["stack", "base"]]
    folder = tmp_path_factory.mktemp("slots")
    return finished(folder, tiny_model_folder, slots=SLOTS, stages=STAGES, arms=arms, primary=primary)


@pytest.fixture(scope="module")
def encoder_run(tmp_path_factory: pytest.TempPathFactory, tiny_encoder_folder: Path) -> Path:
    """An adapter of two types, each with a head, on BERT. Read it, do not change it."""
    folder = tmp_path_factory.mktemp("encoder-run")
    slots = {"task": lora(), "soft": {"type": "PROMPT_TUNING", "num_virtual_tokens": 4}, "head": {"type": "head"}}
    stages = {name: {"kind": "classify", "train": [name, "head"]} for name in ("task", "soft")}
    return finished(folder, tiny_encoder_folder, slots=slots, stages=stages, arms=[*stages], primary=[[*stages]])


def checked(arm: ArmOfRun, to: To, folder: Path) -> Exported:
    """The export, which answered all the cases that it was asked as the study did."""
    done = export(arm, to, folder, console=QUIET)
    assert done.parity is not None
    assert done.parity.total == done.parity.same_texts > 0
    return done


def by_hand(arm: ArmOfRun, folder: Path, model: Any, soft: int = 0) -> list[str]:
    """The label of each held-out case, by nothing but the files of the export."""
    tokenizer: Any = AutoTokenizer.from_pretrained(folder)
    head, written = load_file(folder / "head.safetensors"), json.loads((folder / "head.json").read_text())
    labels = []
    for example in held_out(arm).shown:
        turns: Any = arm.task.messages(example)
        if tokenizer.chat_template:
            text = tokenizer.apply_chat_template(turns, add_generation_prompt=True, tokenize=False)
            prompt = tokenizer(text, add_special_tokens=False, return_tensors="pt")
        else:
            prompt = tokenizer(turns[-1]["content"], return_tensors="pt")
        with torch.no_grad():
            states = model(input_ids=prompt["input_ids"], output_hidden_states=True).hidden_states[-1][0]
        if written["state"] == "weighted mean of all tokens":
            state = (states @ head["query"] / states.shape[-1] ** 0.5).softmax(0) @ states
        else:
            state = states[{"last token": -1, "first token": soft}[written["state"]]]
        labels.append(written["labels"][int((head["weight"] @ state + head["bias"]).argmax())])
    return labels


def measured(arm: ArmOfRun) -> list[str]:
    return [one.text for one in arm.predictions]


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


@pytest.mark.parametrize("name", ["labels", "probe"])
def test_a_head_leaves_with_its_model(run: Path, tmp_path: Path, name: str) -> None:
    arm = open_arm(run, "urgency", name, heads=True)
    assert set(measured(arm)) == {"urgent", "routine"}
    checked(arm, "adapter", tmp_path / "adapter")
    checked(arm, "merged", tmp_path / "merged")
    model = AutoModelForCausalLM.from_pretrained(tmp_path / "merged")
    assert not any("head." in weight and "lm_head" not in weight for weight in model.state_dict())
    assert by_hand(arm, tmp_path / "merged", model) == measured(arm)
    adapted: Any = AutoModelForCausalLM.from_pretrained(arm.source.location)
    if name == "labels":
        adapted = PeftModel.from_pretrained(adapted, tmp_path / "adapter" / "domain", adapter_name="domain")
        adapted.load_adapter(tmp_path / "adapter" / "task", "task")
        adapted.base_model.set_adapter(["domain", "task"])
    assert by_hand(arm, tmp_path / "adapter", adapted) == measured(arm)
    written = json.loads((tmp_path / "merged" / "head.json").read_text())
    assert written == {"labels": ["urgent", "routine"], "state": "last token", "pool": "last"}
    said = (tmp_path / "merged" / "README.md").read_text()
    assert "hidden_states[-1][0, -1]" in said
    assert "greedy decoding" not in said
    with pytest.raises(InputError, match="answers by a head"):
        export(arm, "gguf", tmp_path / "gguf", console=QUIET)


def test_a_head_of_an_encoder_leaves_with_its_model(encoder_run: Path, tmp_path: Path) -> None:
    arm = open_arm(encoder_run, "urgency", "task", heads=True)
    assert set(measured(arm)) == {"urgent", "routine"}
    checked(arm, "adapter", tmp_path / "adapter")
    checked(arm, "merged", tmp_path / "merged")
    base = AutoModel.from_pretrained(arm.source.location)
    assert by_hand(arm, tmp_path / "adapter", PeftModel.from_pretrained(base, tmp_path / "adapter")) == measured(arm)
    assert by_hand(arm, tmp_path / "merged", AutoModel.from_pretrained(tmp_path / "merged")) == measured(arm)
    written = json.loads((tmp_path / "merged" / "head.json").read_text())
    assert written == {"labels": ["urgent", "routine"], "state": "first token", "pool": "first"}
    assert "hidden_states[-1][0, 0]" in (tmp_path / "adapter" / "README.md").read_text()


def test_the_first_token_of_an_encoder_stands_behind_vectors_in_front(encoder_run: Path, tmp_path: Path) -> None:
    arm = open_arm(encoder_run, "urgency", "soft", heads=True)
    checked(arm, "adapter", tmp_path / "out")
    base = AutoModel.from_pretrained(arm.source.location)
    assert by_hand(arm, tmp_path / "out", PeftModel.from_pretrained(base, tmp_path / "out"), soft=4) == measured(arm)
    assert "hidden_states[-1][0, 4]" in (tmp_path / "out" / "README.md").read_text()


def test_a_pool_over_all_tokens_leaves_with_its_query(tiny_encoder_folder: Path, tmp_path: Path) -> None:
    slots, stages = {"head": {"type": "head", "pool": "attention"}}, {"probe": {"kind": "classify", "train": ["head"]}}
    stages["probe"] |= {"learning_rate": 0.2}
    run = finished(tmp_path / "own", tiny_encoder_folder, slots=slots, stages=stages, arms=["probe", "tfidf"])
    arm = open_arm(run, "urgency", "probe", heads=True)
    assert set(measured(arm)) == {"urgent", "routine"}
    checked(arm, "merged", tmp_path / "out")
    assert by_hand(arm, tmp_path / "out", AutoModel.from_pretrained(tmp_path / "out")) == measured(arm)
    written = json.loads((tmp_path / "out" / "head.json").read_text())
    assert (written["state"], written["pool"]) == ("weighted mean of all tokens", "attention")
    assert load_file(tmp_path / "out" / "head.safetensors")["query"].any(), "it learned"
    said = (tmp_path / "out" / "README.md").read_text()
    assert "hidden_states[-1][0, 0:]" in said
    assert "softmax(states @ query" in said


def test_another_head_is_not_let_out(run: Path, tmp_path: Path, monkeypatch: Any) -> None:
    from preceptor.ship import _export

    def turned(arm: ArmOfRun, folder: Path) -> None:
        write_head(arm, folder)
        head = load_file(folder / "head.safetensors")
        save_file({name: -weight for name, weight in head.items()}, folder / "head.safetensors")

    write_head = _export.write_head
    monkeypatch.setattr(_export, "write_head", turned)
    with pytest.raises(PreceptorError, match=r"^0 of \d+ answers"):
        export(open_arm(run, "urgency", "labels", heads=True), "merged", tmp_path / "out", console=QUIET)
    assert list(tmp_path.iterdir()) == []


def test_a_head_is_neither_served_nor_verified(run: Path, tmp_path: Path, preceptor: CommandLine) -> None:
    about = ("--task", "urgency", "--arm", "probe")
    for command in (("serve", run), ("verify", "http://127.0.0.1:9/v1", "--run", run)):
        outcome = preceptor.run(*command, *about)
        assert outcome.code == 2
        assert "probe answers by a head" in outcome.errors
        assert "preceptor export" in outcome.errors
    outcome = preceptor.run("export", run, *about, "--to", "merged", "--output-dir", tmp_path / "out")
    assert outcome.code == 0, outcome.errors
    assert "answers are those of the study" in outcome.shown


@pytest.mark.parametrize("slot", ["head", "task"])
def test_a_damaged_slot_is_named(run: Path, tmp_path: Path, slot: str) -> None:
    folder = open_arm(run, "urgency", "labels", heads=True).folder
    assert folder is not None
    weights = next((folder / "slots" / slot).glob("*.safetensors"))
    before = weights.read_bytes()
    try:
        weights.write_bytes(before[:-10])
        with pytest.raises(InputError, match=f"slots/{slot}: it was kept by an earlier run and is damaged"):
            open_arm(run, "urgency", "labels", heads=True)
    finally:
        weights.write_bytes(before)
