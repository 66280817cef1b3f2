"""Arms that answer by a head: exported as one model or beside it, served with probabilities, verified; float32."""

import json
import shutil
from pathlib import Path
from typing import Any

import httpx2
import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file, save_file
from transformers import AutoModel, AutoModelForCausalLM, AutoModelForSequenceClassification, AutoTokenizer

from command_line import CommandLine
from preceptor.errors import InputError, PreceptorError
from preceptor.models import load_policy
from preceptor.ship import export
from preceptor.ship.serving import load
from preceptor.ship.serving._api import create_app
from preceptor.study import ArmOfRun, held_out, open_arm
from preceptor.web.door import open_door
from preceptor.web.server import Limits
from ship.slot_runs import QUIET, by_hand, checked, finished, lora, measured
from slow_client import serving

SLOTS: dict[str, Any] = {"domain": lora(), "task": lora(r=2), "head": {"type": "head"}}
STAGES: dict[str, Any] = {
    "first": {"kind": "sft", "train": ["domain"]},
    "warmed": {"kind": "classify", "after": "first", "use": ["domain"], "train": ["head"], "learning_rate": 0.2},
    "labels": {"kind": "classify", "after": "warmed", "use": ["domain"], "train": ["task", "head"]},
    "probe": {"kind": "classify", "train": ["head"], "learning_rate": 0.2},
}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, tiny_model_folder: Path) -> Path:
    """A head alone, and one on two adapters, on Llama. Read it, do not change it."""
    arms = ["labels", "probe"]
    folder = tmp_path_factory.mktemp("heads")
    return finished(folder, tiny_model_folder, slots=SLOTS, stages=STAGES, arms=arms, primary=[arms])


@pytest.fixture(scope="module")
def encoder_run(tmp_path_factory: pytest.TempPathFactory, tiny_encoder_folder: Path) -> Path:
    """An adapter of two types, each with a head, on BERT. Read it, do not change it."""
    folder = tmp_path_factory.mktemp("encoder-run")
    slots = {"task": lora(), "soft": {"type": "PROMPT_TUNING", "num_virtual_tokens": 4}, "head": {"type": "head"}}
    stages = {name: {"kind": "classify", "train": [name, "head"]} for name in ("task", "soft")}
    return finished(folder, tiny_encoder_folder, slots=slots, stages=stages, arms=[*stages], primary=[[*stages]])


@torch.no_grad()
def is_one_model(arm: ArmOfRun, folder: Path) -> None:
    """The merged export is the measured model: by plain transformers, all held-out cases in one padded batch."""
    model = AutoModelForSequenceClassification.from_pretrained(folder)
    tokenizer: Any = AutoTokenizer.from_pretrained(folder)
    turns: Any = [arm.task.messages(one) for one in held_out(arm).shown]
    if tokenizer.chat_template:
        texts = tokenizer.apply_chat_template(turns, add_generation_prompt=True, tokenize=False)
        batch = tokenizer(texts, add_special_tokens=False, padding=True, return_tensors="pt")
    else:
        batch = tokenizer([one[-1]["content"] for one in turns], padding=True, return_tensors="pt")
    assert len(set(batch["attention_mask"].sum(-1).tolist())) > 1
    found = model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).logits
    policy = load_policy(arm.source, arm.folder, dtype=torch.float32)
    wanted = arm.head_probabilities(policy, held_out(arm).test).log()
    torch.testing.assert_close(found.log_softmax(-1), wanted, atol=1e-5, rtol=0)
    assert [model.config.id2label[one] for one in found.argmax(-1).tolist()] == measured(arm)
    assert list(model.config.id2label.values()) == list(arm.task.labels)
    assert not (folder / "head.json").exists()
    assert "AutoModelForSequenceClassification" in (folder / "README.md").read_text()


@pytest.mark.parametrize("name", ["labels", "probe"])
def test_a_head_leaves_with_its_model(run: Path, tmp_path: Path, name: str) -> None:
    arm = open_arm(run, "urgency", name, heads=True)
    assert set(measured(arm)) == {"urgent", "routine"}
    checked(arm, "adapter", tmp_path / "adapter")
    checked(arm, "merged", tmp_path / "merged")
    is_one_model(arm, tmp_path / "merged")
    adapted: Any = AutoModelForCausalLM.from_pretrained(arm.source.location)
    if name == "labels":
        adapted = PeftModel.from_pretrained(adapted, tmp_path / "adapter" / "domain", adapter_name="domain")
        adapted.load_adapter(tmp_path / "adapter" / "task", "task")
        adapted.base_model.set_adapter(["domain", "task"])
    assert by_hand(arm, tmp_path / "adapter", adapted) == measured(arm)
    written = json.loads((tmp_path / "adapter" / "head.json").read_text())
    assert written == {"labels": ["urgent", "routine"], "state": "last token", "pool": "last"}
    said = (tmp_path / "adapter" / "README.md").read_text()
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
    is_one_model(arm, tmp_path / "merged")
    written = json.loads((tmp_path / "adapter" / "head.json").read_text())
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
    assert "the pool of this head is attention" in str(checked(arm, "merged", tmp_path / "out").head_beside)
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
    with pytest.raises(PreceptorError, match=r"^0 of \d+ labels and their probabilities"):
        export(open_arm(run, "urgency", "labels", heads=True), "adapter", tmp_path / "out", console=QUIET)
    assert list(tmp_path.iterdir()) == []


def test_a_head_with_an_adapter_left_out_is_noticed(run: Path, tmp_path: Path, monkeypatch: Any) -> None:
    from preceptor.ship import _reload

    monkeypatch.setattr(_reload, "with_adapters", lambda base, folders: base)
    with pytest.raises(PreceptorError, match="those of the untouched model"):
        export(open_arm(run, "urgency", "labels", heads=True), "adapter", tmp_path / "out", console=QUIET)


def test_a_head_that_no_class_has_stands_beside_its_model(
    run: Path, tmp_path: Path, monkeypatch: Any, preceptor: CommandLine
) -> None:
    """As a head of an earlier version does, with its bias."""
    from preceptor.ship import _export

    monkeypatch.setattr(_export, "why_not", lambda *_: "Some class has no bias")
    about = ("--task", "urgency", "--arm", "probe", "--to", "merged", "--output-dir", tmp_path / "out")
    outcome = preceptor.run("export", run, *about)
    assert outcome.code == 0, outcome.errors
    assert "The head stands in a file of its own: Some class has no bias." in outcome.shown
    assert "labels and their probabilities are those of the study" in outcome.shown
    arm = open_arm(run, "urgency", "probe", heads=True)
    model = AutoModelForCausalLM.from_pretrained(tmp_path / "out")
    assert by_hand(arm, tmp_path / "out", model) == measured(arm)
    assert "of its own: Some class has no bias." in (tmp_path / "out" / "README.md").read_text()


def test_a_head_of_a_causal_model_keeps_the_bias_of_an_earlier_version(run: Path, tmp_path: Path) -> None:
    arm = open_arm(run, "urgency", "probe", heads=True)
    assert arm.folder is not None
    shutil.copytree(arm.folder, tmp_path / "kept")
    file = tmp_path / "kept" / "slots" / "head" / "head.safetensors"
    bias = torch.tensor([5.0, -5.0])
    save_file(load_file(file) | {"bias": bias}, file)
    prompts = held_out(arm).test
    old, new = (
        arm.head_probabilities(load_policy(arm.source, folder, dtype=torch.float32), prompts).log()
        for folder in (tmp_path / "kept", arm.folder)
    )
    torch.testing.assert_close(old, (new + bias).log_softmax(-1), atol=1e-4, rtol=0)


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


@pytest.mark.parametrize("kind", ["llama", "bert"])
def test_a_head_is_served_with_each_labels_probability(
    request: pytest.FixtureRequest, preceptor: CommandLine, kind: str
) -> None:
    folder: Path = request.getfixturevalue("run" if kind == "llama" else "encoder_run")
    arm = open_arm(folder, "urgency", "labels" if kind == "llama" else "task", heads=True)
    served, door, cases = load(arm), open_door(port=0), held_out(arm).shown
    app = create_app(served, hosts=door.hosts, token=None, body_seconds=60)
    with door.socket, serving(app, door, lifespan=True, limits=Limits()) as port:
        chat = f"http://127.0.0.1:{port}/v1/chat/completions"
        said = httpx2.post(chat, json={"fields": dict(cases[0].fields), "logprobs": True}, timeout=60).json()
        stream = httpx2.post(chat, json={"messages": arm.task.messages(cases[0]), "stream": True}, timeout=60).text
        other = httpx2.post(chat, json={"messages": [{"role": "user", "content": "Hi"}] * 2}, timeout=60)
        asked = ("--run", folder, "--task", "urgency", "--arm", arm.arm, "--json")
        outcome = preceptor.run("verify", f"http://127.0.0.1:{port}/v1", *asked)
    first, count = arm.predictions[0], len(arm.predictions)
    assert said["choices"][0]["message"]["content"] == said["preceptor"]["answer"] == first.answer
    assert said["preceptor"]["scores"] == pytest.approx(first.scores, abs=1e-5)
    assert said["usage"]["completion_tokens"] == 0
    assert (said["choices"][0]["logprobs"], said["choices"][0]["finish_reason"]) == (None, "stop")
    chunks = [json.loads(line.removeprefix("data: ")) for line in stream.split("\n\n")[:-2]]
    assert "".join(one["choices"][0]["delta"].get("content", "") for one in chunks) == first.answer
    assert chunks[-1]["preceptor"]["scores"] == pytest.approx(first.scores, abs=1e-5)
    assert other.status_code == 400
    assert "a head answers here" in other.json()["error"]["message"]
    assert outcome.code == 0, outcome.errors
    found = json.loads(outcome.shown)
    assert (found["how"], found["total"], found["same"], found["same_texts"]) == ("scored labels", *[count] * 3)
    assert found["gap"] < 1e-4
