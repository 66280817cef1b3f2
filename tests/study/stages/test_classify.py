"""A classifier as an arm, on a causal model and on an encoder: it learns, it answers, it resumes, it fails in words."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open

import study_runs
from command_line import CommandLine
from preceptor.engine import Numerics
from preceptor.errors import InputError
from preceptor.models import BACKBONE, HEAD, SlotSettings, load_policy, load_tokenizer
from preceptor.study import load_study
from preceptor.study.answers.head import label_probabilities
from preceptor.study.spec.stacks import slots_of
from study_runs import Run
from tiny_study import write_study

FAST: dict[str, Any] = {"epochs": 6, "learning_rate": 0.01}
ARMS: dict[str, Any] = {"arms": ["classify", "tfidf"], "primary": [["classify", "tfidf"]], "classify": FAST}


@pytest.fixture(scope="module", params=["llama", "bert"])
def done(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    tiny_model_folder: Path,
    tiny_encoder_folder: Path,
) -> Run:
    model = tiny_model_folder if request.param == "llama" else tiny_encoder_folder
    folder = tmp_path_factory.mktemp(request.param)
    return study_runs.run(folder, model, folder / "run", **ARMS)


def cell(done: Run) -> dict[str, Any]:
    (found,) = [one for one in done.results["cells"] if one["arm"] == "classify"]
    return dict(found)


def test_it_learns_and_every_answer_can_be_read(done: Run) -> None:
    curve = [loss for _, loss in cell(done)["curves"]["classify"]["eval_loss"]]
    assert min(curve) < curve[0]
    assert cell(done)["invalid_rate"] == 0
    assert cell(done)["cost"]["flops"] > 0
    assert cell(done)["curves"]["classify"].keys() == {"loss", "eval_loss"}


def test_a_causal_model_tells_the_labels_of_held_out_cases_apart(done: Run) -> None:
    if done.study.model.endswith("tiny"):
        assert cell(done)["value"] > 0.8


def test_its_ledger_says_how_many_numbers_learned(done: Run) -> None:
    (ledger,) = [json.loads(one.read_text()) for one in done.folder.glob("stages/*/ledger.json")]
    assert ledger["kind"] == "classify"
    biases = 2 if "bert" in done.study.model else 0  # none on a causal model, as in transformers
    assert ledger["learning"]["head"] == 2 * 48 + biases
    assert ledger["learning"]["default"] > 1000


def test_its_answers_are_the_labels_of_the_highest_output(done: Run, preceptor: CommandLine) -> None:
    from preceptor.models import find_model
    from preceptor.study.cases import check_task, prepare, read_task

    study, base = load_study(str(done.study_file))
    source = find_model(study.model)
    tokenizer = load_tokenizer(source)
    prepared = prepare(check_task(read_task(study.tasks[0], study, base), study, tokenizer), study, tokenizer)
    policy = load_policy(source, done.folder / cell(done)["policy"], dtype=torch.float32)
    likely = label_probabilities(policy, prepared.test, Numerics(threads=1))
    torch.testing.assert_close(likely.sum(-1), torch.ones(len(prepared.test)))
    file = done.folder / cell(done)["predictions"]["path"]
    answers = [json.loads(line)["answer"] for line in file.read_text().splitlines()]
    assert answers == [prepared.task.labels[i] for i in likely.argmax(-1).tolist()]


def test_done_again_nothing_is_trained(done: Run) -> None:
    ledgers = {one: one.stat().st_mtime_ns for one in done.folder.glob("stages/*/ledger.json")}
    assert done.again(**ARMS).results["cells"] == done.results["cells"]
    assert {one: one.stat().st_mtime_ns for one in done.folder.glob("stages/*/ledger.json")} == ledgers


def test_every_weight_can_learn_with_the_head(tmp_path: Path, tiny_encoder_folder: Path) -> None:
    done = study_runs.run(tmp_path, tiny_encoder_folder, tmp_path / "run", adapter="none", **ARMS)
    (folder,) = done.folder.glob("stages/*")
    assert sorted(one.name for one in folder.iterdir() if one.is_dir()) == ["model", "slots"]
    assert cell(done)["value"] is not None


@pytest.mark.parametrize("pool", ["mean", "attention"])
def test_a_head_reads_what_the_slot_says(
    tmp_path: Path, tiny_encoder_folder: Path, tiny_model_folder: Path, pool: str
) -> None:
    model = tiny_encoder_folder if pool == "mean" else tiny_model_folder
    slots = {"one": {"type": "LORA", "r": 4}, "head": {"type": "head", "pool": pool}}
    done = study_runs.run(tmp_path, model, tmp_path / "run", **ARMS, slots=slots)
    (file,) = done.folder.glob("stages/*/slots/head/head.safetensors")
    with safe_open(file, framework="pt") as held:
        assert held.metadata()["pool"] == pool
    curve = [loss for _, loss in cell(done)["curves"]["classify"]["eval_loss"]]
    assert min(curve) < curve[0]


def test_a_model_of_sentence_transformers_is_read_as_it_was_trained(tmp_path: Path, tiny_encoder_folder: Path) -> None:
    model = tmp_path / "model"
    shutil.copytree(tiny_encoder_folder, model)
    once = {"arms": ["classify"], "primary": [], "classify": FAST | {"epochs": 1}}
    before = study_runs.run(tmp_path, model, tmp_path / "run", **once)
    (model / "1_Pooling").mkdir()
    (model / "1_Pooling" / "config.json").write_text('{"pooling_mode_mean_tokens": true}')
    keys = {one.parent.name for one in before.folder.glob("stages/*/ledger.json")}
    after = before.again(**once)
    (new,) = {one.parent.name for one in after.folder.glob("stages/*/ledger.json")} - keys
    with safe_open(after.folder / "stages" / new / "slots" / "head" / "head.safetensors", framework="pt") as held:
        assert held.metadata()["pool"] == "mean"


def test_the_first_token_of_a_causal_model_is_refused(
    tmp_path: Path, tiny_model_folder: Path, preceptor: CommandLine
) -> None:
    study = write_study(tmp_path, tiny_model_folder, **ARMS, slots={"head": {"type": "head", "pool": "first"}})
    done = preceptor.run("check", study)
    assert done.code == 2
    assert "slot head: the first token of tiny sees no other" in done.errors


def test_with_every_weight_a_head_may_still_have_a_pool(tmp_path: Path, tiny_encoder_folder: Path) -> None:
    slots = {"head": {"type": "head", "pool": "mean"}}
    study, _ = load_study(str(write_study(tmp_path, tiny_encoder_folder, **ARMS, slots=slots, adapter="none")))
    last = study.stage_of("classify")
    assert last is not None
    active, train = slots_of(study, last, 2)
    assert active == {"head": SlotSettings(type=HEAD, outputs=2, pool="mean")}
    assert train == (BACKBONE, "head")


def test_an_encoder_writes_nothing(tmp_path: Path, tiny_encoder_folder: Path, preceptor: CommandLine) -> None:
    study = write_study(tmp_path, tiny_encoder_folder, arms=["base", "sft", "classify"], primary=[["classify", "sft"]])
    done = preceptor.run("check", study)
    assert done.code == 2
    assert "arms: base: it writes text, and tiny-bert is an encoder" in done.errors
    assert "arms: sft:" in done.errors
    assert "arms: classify:" not in done.errors


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        (
            {"arms": [{"name": "odd", "stages": ["sft"], "answer": "head"}]},
            "odd: head reads a head, and its last stage",
        ),
        ({"slots": {"one": {"type": "LORA"}}, "adapter": "none"}, "adapter: none. tunes every weight"),
        (
            {"slots": {"one": {"type": "LORA"}}, "stages": {"first": {"kind": "sft", "train": ["two"]}}},
            "first: there is no slot two",
        ),
        (
            {
                "slots": {"one": {"type": "LORA"}, "two": {"type": "IA3"}},
                "stages": {"first": {"kind": "sft", "train": ["one", "two"]}},
                "arms": ["first"],
            },
            "first: slots of different types cannot be active together: IA3, LORA",
        ),
        (
            {
                "slots": {"one": {"type": "LORA"}, "two": {"type": "LORA"}},
                "stages": {
                    "first": {"kind": "sft", "train": ["one"]},
                    "second": {"kind": "sft", "after": "first", "train": ["two"]},
                },
                "arms": ["first+second"],
            },
            "second: what one learned before it would be lost; name it in `use`",
        ),
        (
            {
                "slots": {"one": {"type": "LORA"}, "head": {"type": "head"}},
                "stages": {"first": {"kind": "sft", "train": ["one", "head"]}},
                "arms": ["first"],
            },
            "first: sft trains no head, so it cannot train head",
        ),
        ({"slots": {"One": {"type": "LORA"}}}, "slots.One"),
        ({"slots": {"default": {"type": "IA3"}}}, "slots: default: take another name"),
        ({"slots": {"keys": {"type": "LORA"}}}, "slots: keys: take another name"),
        ({"slots": {"head": {"type": "LORA"}}}, "only a slot of type head can have this name"),
    ],
)
def test_slots_that_cannot_be_meant_are_refused(
    tmp_path: Path, tiny_model_folder: Path, changes: dict[str, Any], what: str
) -> None:
    file = write_study(tmp_path, tiny_model_folder, **({"arms": ["base", "sft"]} | changes))
    with pytest.raises(InputError, match=what):
        load_study(str(file))
