"""Heads that give several labels: exported with their threshold, served with probabilities, verified; float32."""

import json
import math
import shutil
from pathlib import Path
from typing import Any

import httpx2
import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file
from transformers import AutoModel, AutoModelForCausalLM, AutoModelForSequenceClassification, AutoTokenizer, pipeline

import labels_study
from command_line import CommandLine
from preceptor.errors import InputError, PreceptorError
from preceptor.models import writes
from preceptor.ship import export
from preceptor.ship._label_evidence import _set_margin
from preceptor.ship._replayed import Replayed
from preceptor.ship.serving import load
from preceptor.ship.serving._api import create_app
from preceptor.study import ArmOfRun, held_out, open_arm
from preceptor.tasks import Task
from preceptor.web.door import open_door
from preceptor.web.server import Limits
from ship.slot_runs import QUIET, checked, finished, lora, measured
from slow_client import serving
from tiny_study import TASK

SEVERAL = Task.model_validate(TASK | labels_study.TASK)
LABELS = list(SEVERAL.set_labels)
ANSWER = labels_study.TASK["answer"]


def learned(folder: Path, model: Path, **task: Any) -> Path:
    """A finished study whose one arm reads the labels off an adapter that learned with its head."""
    (folder / "own").mkdir(parents=True)
    labels_study.write_table(folder / "own" / "cases.csv", patients=80)
    slots = {"task": lora(), "head": {"type": "head"}}
    stages = {"labels": {"kind": "classify", "train": ["task", "head"], "learning_rate": 0.02}}
    arms: dict[str, Any] = {"arms": ["labels", "tfidf"], "primary": [["labels", "tfidf"]]}
    return finished(folder, model, slots=slots, stages=stages, task=labels_study.TASK | task, **arms)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, tiny_model_folder: Path) -> Path:
    """On Llama, where each set has a label. Read it, do not change it."""
    answer = {name: value for name, value in ANSWER.items() if name != "empty"}
    labels = answer["labels"] | {"none": "None of these"}
    return learned(tmp_path_factory.mktemp("sets"), tiny_model_folder, answer=answer | {"labels": labels})


@pytest.fixture(scope="module")
def encoder_run(tmp_path_factory: pytest.TempPathFactory, tiny_encoder_folder: Path) -> Path:
    """On BERT, with a word for no label. Read it, do not change it."""
    return learned(tmp_path_factory.mktemp("encoder-sets"), tiny_encoder_folder)


@pytest.fixture(params=["llama", "bert"])
def arm(request: pytest.FixtureRequest) -> ArmOfRun:
    folder: Path = request.getfixturevalue("run" if request.param == "llama" else "encoder_run")
    found = open_arm(folder, "urgency", "labels", heads=True)
    sizes = {len(found.task.label_set(text) or ()) for text in measured(found)}
    assert len(set(measured(found))) > 2, "the answers differ"
    assert max(sizes) > 1, "some have several labels"
    return found


def by_threshold(arm: ArmOfRun, likely: torch.Tensor, threshold: float) -> str:
    """The rule, in the words of the README: every label from the threshold on, or where there is none the next best."""
    labels = list(arm.task.set_labels)
    given = [label for label, share in zip(labels, likely.tolist(), strict=True) if share >= threshold]
    if not given and arm.task.answer.empty is None:
        given = [labels[int(likely.argmax())]]
    return "; ".join(given) or "none"


@torch.no_grad()
def test_an_adapter_leaves_with_its_head_and_threshold(arm: ArmOfRun, tmp_path: Path) -> None:
    checked(arm, "adapter", tmp_path)
    head, written = load_file(tmp_path / "head.safetensors"), json.loads((tmp_path / "head.json").read_text())
    assert (written["labels"], written["threshold"]) == (list(arm.task.set_labels), arm.threshold)
    assert json.loads((tmp_path / "export.json").read_text())["threshold"] == arm.threshold
    said = (tmp_path / "README.md").read_text()
    assert f"every label whose probability is at least {arm.threshold:g}, the threshold" in said
    assert ("the most probable one." if arm.task.answer.empty is None else "there is none, `none`.") in said
    kind: Any = AutoModelForCausalLM if writes(arm.source) else AutoModel
    model: Any = PeftModel.from_pretrained(kind.from_pretrained(arm.source.location), tmp_path)
    found = []
    for prompt in held_out(arm).test:
        states = model.eval()(input_ids=torch.tensor([prompt]), output_hidden_states=True).hidden_states[-1][0]
        state = states[{"last": -1, "first": 0}[written["pool"]]]
        outputs = head["weight"] @ state + head.get("bias", 0)
        found.append(by_threshold(arm, outputs.sigmoid(), written["threshold"]))
    assert found == measured(arm)


@torch.no_grad()
def test_merged_it_is_one_model_for_several_labels(arm: ArmOfRun, tmp_path: Path) -> None:
    checked(arm, "merged", tmp_path)
    model: Any = AutoModelForSequenceClassification.from_pretrained(tmp_path)
    assert model.config.problem_type == "multi_label_classification"
    assert list(model.config.id2label.values()) == list(arm.task.set_labels)
    likely = [model(input_ids=torch.tensor([prompt])).logits[0].sigmoid() for prompt in held_out(arm).test]
    assert arm.threshold is not None
    assert [by_threshold(arm, one, arm.threshold) for one in likely] == measured(arm)
    assert f"is at least {arm.threshold:g}, the" in (tmp_path / "README.md").read_text()
    tokenizer: Any = AutoTokenizer.from_pretrained(tmp_path)
    if not tokenizer.chat_template:  # the text is the prompt, so that transformers' own pipeline does all of it
        classify: Any = pipeline("text-classification", model=model, tokenizer=tokenizer, top_k=None)
        said = classify([arm.task.messages(one)[-1]["content"] for one in held_out(arm).shown])
        for scores, one in zip(said, arm.predictions, strict=True):
            assert {row["label"]: row["score"] for row in scores} == pytest.approx(one.scores, abs=1e-5)


def test_a_head_with_another_threshold_is_not_let_out(arm: ArmOfRun, tmp_path: Path, monkeypatch: Any) -> None:
    from preceptor.ship import _export

    def moved(arm: ArmOfRun, folder: Path) -> None:
        write_head(arm, folder)
        file = folder / "head.json"
        file.write_text(json.dumps(json.loads(file.read_text()) | {"threshold": 1e-9}))

    write_head = _export.write_head
    monkeypatch.setattr(_export, "write_head", moved)
    with pytest.raises(PreceptorError, match="This is not the model that was measured"):
        export(arm, "adapter", tmp_path / "out", console=QUIET)
    assert list(tmp_path.iterdir()) == []


def test_sets_are_served_with_each_labels_probability_and_verified(arm: ArmOfRun, preceptor: CommandLine) -> None:
    served, door, cases = load(arm), open_door(port=0), held_out(arm).shown
    app = create_app(served, hosts=door.hosts, token=None, body_seconds=60)
    with door.socket, serving(app, door, lifespan=True, limits=Limits()) as port:
        chat = f"http://127.0.0.1:{port}/v1/chat/completions"
        said = [httpx2.post(chat, json={"fields": dict(one.fields)}, timeout=60).json() for one in cases[:8]]
        asked = ("--run", arm.root, "--task", "urgency", "--arm", arm.arm, "--json")
        outcome = preceptor.run("verify", f"http://127.0.0.1:{port}/v1", *asked)
    assert len({one["preceptor"]["answer"] for one in said}) > 1
    for one, prediction in zip(said, arm.predictions, strict=False):
        assert one["choices"][0]["message"]["content"] == one["preceptor"]["answer"] == prediction.answer
        assert one["preceptor"]["scores"] == pytest.approx(prediction.scores, abs=1e-5)
    assert outcome.code == 0, outcome.errors
    found, count = json.loads(outcome.shown), len(arm.predictions)
    assert (found["how"], found["total"], found["same"], found["same_texts"]) == ("scored labels", *[count] * 3)
    assert found["gap"] < 1e-4


def replayed(task: Task, scores: list[float], measured: str, served: str) -> float | None:
    by_label = dict(zip(LABELS, scores, strict=True))
    case = Replayed("1", measured, served, 9, measured_scores=by_label)
    return _set_margin(task, case, by_label, 0.5)


def test_sets_that_part_at_the_threshold_part_by_rounding() -> None:
    """In nats of log-odds: of 0.5 they are 0, of 0.9 log 9; where no label reaches the threshold, the highest is it."""
    assert replayed(SEVERAL, [0.9, 0.5, 0.1], "asthma; heart failure", "asthma") == pytest.approx(0, abs=1e-12)
    assert replayed(SEVERAL, [0.9, 0.5, 0.1], "asthma; heart failure", "none") == pytest.approx(math.log(9))
    assert replayed(SEVERAL, [0.9, 0.1, 0.0], "asthma", "asthma; fever") == pytest.approx(12 * math.log(10))
    full = SEVERAL.model_copy(update={"answer": SEVERAL.answer.model_copy(update={"empty": None})})
    assert replayed(full, [0.1, 0.1, 0.01], "asthma", "heart failure") == pytest.approx(0, abs=1e-12)
    assert replayed(SEVERAL, [0.9, 0.5, 0.1], "asthma", "asthma; gout") is None, "of which nothing is known"


def test_a_threshold_that_was_changed_is_refused(encoder_run: Path, tmp_path: Path) -> None:
    """Served, it would give other labels than were measured."""
    run = shutil.copytree(encoder_run, tmp_path / "run")
    note = open_arm(run, "urgency", "labels", heads=True).predictions_file.parent / "cell.json"
    said = json.loads(note.read_text())
    note.write_text(json.dumps(said | {"threshold": said["threshold"] / 2}))
    with pytest.raises(InputError, match=r"its threshold is not that of results\.json, so one of the two was changed"):
        open_arm(run, "urgency", "labels", heads=True)


def test_a_threshold_that_was_changed_wherever_it_stands_does_not_make_the_answers(
    encoder_run: Path, tmp_path: Path
) -> None:
    """Served, it would pass a check of some cases whose probabilities are far from it."""
    run = shutil.copytree(encoder_run, tmp_path / "run")
    arm = open_arm(run, "urgency", "labels", heads=True)
    assert arm.threshold is not None
    given = [one.scores[label] for one in arm.predictions if one.scores for label in SEVERAL.label_set(one.text) or ()]
    moved = min(given) + 1e-6  # by which one label of one case is lost
    note, results = arm.predictions_file.parent / "cell.json", run / "results.json"
    note.write_text(json.dumps(json.loads(note.read_text()) | {"threshold": moved}))
    said = json.loads(results.read_text())
    for cell in said["cells"]:
        if cell["arm"] == "labels":
            cell["threshold"] = moved
    results.write_text(json.dumps(said))
    with pytest.raises(InputError, match=r"its threshold does not make the answers that were measured of their scores"):
        open_arm(run, "urgency", "labels", heads=True)
