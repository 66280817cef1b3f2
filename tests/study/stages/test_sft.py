"""SFT on bare labels as a stage of a study: what is learned, its key and its plan, and runs from before the choice."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

import study_runs
from preceptor.engine import EncodedChoice, Numerics, flops_of
from preceptor.errors import InputError
from preceptor.files import digest_file, write_json
from preceptor.models import AdapterSettings, Encoded, adapter_slots, blueprint, encode_answer, fingerprint
from preceptor.progress import quiet
from preceptor.study import make_study, rows_of_arm
from preceptor.study.cases import Prepared
from preceptor.study.plan.forecast import stage_work
from preceptor.study.run.folder import RunFolder
from preceptor.study.spec.study import Study
from preceptor.study.stage_tree.tree import StageTree
from preceptor.study.stages import classify
from preceptor.study.stages.sft import how_trained
from prepared_study import prepare_tiny
from study_runs import Run
from tiny_study import write_table

TEXT = {"answer": {"kind": "text", "max_new_tokens": 6}, "metric": "rouge_l", "also": []}
SHORT: dict[str, Any] = {"epochs": 1, "batch_size": 8, "learning_rate": 0.01}


def sft_stage(
    folder: Path, tokenizer: Any, source: Any, task: dict[str, Any] | None = None, **sft: Any
) -> tuple[Study, Prepared, Any]:
    """A tiny study, and what its SFT learns and is called, with nothing trained."""
    study, prepared = prepare_tiny(folder, tokenizer, task=task, sft=SHORT | sft)
    tree = StageTree(
        study, Numerics(threads=1), source, fingerprint(source), RunFolder(folder / "run"), lambda *_: quiet
    )
    stage = study.stage_of("sft")
    assert stage is not None
    return study, prepared, tree._look_up(stage, prepared, 0)


def test_a_bare_label_is_learned_as_a_choice_among_all(tmp_path: Path, tiny_tokenizer: Any, tiny_source: Any) -> None:
    _, prepared, known = sft_stage(tmp_path, tiny_tokenizer, tiny_source)
    train, validation = known.data
    assert prepared.label_answers == [encode_answer(tiny_tokenizer, label) for label in ("urgent", "routine")]
    for part, name in ((train, "train"), (validation, "validation")):
        cases = zip(part, getattr(prepared, name), getattr(prepared.splits, name), strict=True)
        for learned, case, example in cases:
            assert isinstance(learned, EncodedChoice)
            assert learned.prompt == case.prompt
            assert learned.answers[learned.gold] == case.answer
            assert ("urgent", "routine")[learned.gold] == example.target


def test_without_the_setting_and_for_texts_it_is_what_it_was(
    tmp_path: Path, tiny_tokenizer: Any, tiny_source: Any
) -> None:
    _, prepared, as_before = sft_stage(tmp_path, tiny_tokenizer, tiny_source, label_token_weight=None)
    assert as_before.data == (prepared.train, prepared.validation)
    _, prepared, text = sft_stage(tmp_path, tiny_tokenizer, tiny_source, TEXT)
    assert all(isinstance(one, Encoded) for part in text.data for one in part)
    assert prepared.label_answers == []
    _, _, other = sft_stage(tmp_path, tiny_tokenizer, tiny_source, TEXT, label_token_weight=0.1)
    assert other.output.key == text.output.key, "nothing of it depends on the setting"


def test_each_setting_of_labels_gives_another_key(tmp_path: Path, tiny_tokenizer: Any, tiny_source: Any) -> None:
    changes: list[dict[str, Any]] = [
        {},
        {"label_token_weight": 0.1},
        {"label_token_weight": None},
        {"label_balance": "class_weights"},
        {"label_balance": "logit_adjustment"},
    ]
    keys = [sft_stage(tmp_path, tiny_tokenizer, tiny_source, **one)[2].output.key for one in changes]
    assert len({*keys}) == len(changes)


def test_every_label_fits_behind_a_case_that_is_cut(tmp_path: Path, tiny_tokenizer: Any) -> None:
    _, whole = prepare_tiny(tmp_path, tiny_tokenizer)
    longest = max(len(case.prompt) + len(case.answer) for case in whole.train)
    _, cut = prepare_tiny(tmp_path, tiny_tokenizer, max_length=longest - 4)
    assert any(len(a.prompt) < len(b.prompt) for a, b in zip(cut.train, whole.train, strict=True)), "none was cut"
    room = max(map(len, cut.label_answers))
    assert max(len(case.prompt) for case in (*cut.train, *cut.validation)) + room <= longest - 4


def test_a_plan_counts_the_answer_of_every_label(tmp_path: Path, tiny_tokenizer: Any, tiny_source: Any) -> None:
    model = blueprint(tiny_source, adapter_slots(AdapterSettings(rank=4)), torch.float32)

    def planned(**changes: Any) -> tuple[Prepared, Any]:
        study, prepared, _ = sft_stage(tmp_path, tiny_tokenizer, tiny_source, **changes)
        stage = study.stage_of("sft")
        assert stage is not None
        return prepared, stage_work(study, prepared, stage, model, Path(), shares=True)

    prepared, work = planned()
    labels = prepared.label_answers
    seen = sum(len(one.prompt) * len(labels) + sum(map(len, labels)) for one in prepared.train)
    assert sum(unit.repeats * unit.seen for unit in work if unit.kind == "train") == seen
    _, fewer = planned(label_token_weight=None)
    assert flops_of(work, model) > flops_of(fewer, model)


def test_labels_are_balanced_where_some_are_chosen_from() -> None:
    block = {"label_token_weight": None, "label_balance": "class_weights"}
    entry = {"task": "t.yaml", "data": {"path": "c.csv", "target": "x", "group": "p"}}
    with pytest.raises(InputError, match="label_balance is of the loss over labels"):
        make_study({"name": "s", "tasks": [entry], "sft": block}, "here")


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, tiny_model_folder: Path) -> Run:
    folder = tmp_path_factory.mktemp("labels")
    write_table(folder / "cases.csv", patients=36)
    arms = ["sft", "sft+dpo", "sft+chosen", "sft+sft", "classify"]
    balanced = SHORT | {"label_balance": "class_weights"}
    changes = {"dpo": SHORT, "chosen": balanced, "classify": balanced, "sft": balanced, "pairs": {"limit": 8}}
    return study_runs.run(folder, tiny_model_folder, folder / "run", arms=arms, **changes)


def test_every_arm_that_learns_from_labels_chooses_among_them(finished: Run) -> None:
    ledgers = [json.loads(one.read_text()) for one in finished.folder.glob("stages/*/ledger.json")]
    found = {kind: [one for one in ledgers if one["kind"] == kind] for kind in ("sft", "chosen", "dpo")}
    assert [len(of) for of in found.values()] == [2, 1, 1]
    for one in (*found["sft"], *found["chosen"]):
        figures = {name for row in one["history"] for name in row}
        assert figures >= {"label_nll", "label_accuracy", "eval_loss", "eval_label_nll", "eval_label_accuracy"}
    costs = {cell["arm"]: cell["cost"] for cell in finished.results["cells"]}
    own = {arm: costs[arm]["flops"] - costs[arm]["evaluation_flops"] for arm in ("sft", "sft+dpo", "sft+sft")}
    assert own["sft+dpo"] <= own["sft+sft"] * (1 + 1e-12), "the control spends what DPO spends, labels and all"


def test_a_run_from_before_the_choice_is_opened_as_what_it_was(tmp_path: Path, tiny_model_folder: Path) -> None:
    """Its study says nothing of labels, its stages are those of the loss of tokens."""
    write_table(tmp_path / "cases.csv", patients=36)
    old = study_runs.run(
        tmp_path,
        tiny_model_folder,
        tmp_path / "run",
        arms=["sft", "sft+dpo"],
        sft=SHORT | {"label_token_weight": None},
        dpo=SHORT,
        pairs={"limit": 6},
    )
    rows = rows_of_arm(old.folder, "urgency", "sft+dpo")
    study = yaml.safe_load((old.folder / "study.yaml").read_text())
    assert study["sft"].pop("label_token_weight") is None
    assert study["sft"].pop("label_balance") == "none"
    (old.folder / "study.yaml").write_text(yaml.safe_dump(study, sort_keys=False))
    results = json.loads((old.folder / "results.json").read_text())
    results["made_from"]["study.yaml"] = digest_file(old.folder / "study.yaml")
    write_json(old.folder / "results.json", results)
    assert rows_of_arm(old.folder, "urgency", "sft+dpo") == rows
    assert len(rows) > 0


def test_methods_say_how_labels_were_learned() -> None:
    now = how_trained({"epochs": 1, "label_token_weight": 0.3, "label_balance": "class_weights"}, "LoRA")
    assert "cross-entropy over the labels" in now
    assert "plus 0.3 times" in now
    assert "inversely to the frequency" in now
    assert "cross-entropy" not in how_trained({"epochs": 1}, "LoRA"), "a run from before there was a choice"


def test_a_classifier_of_before_has_its_key() -> None:
    assert "label_balance" not in classify.Settings().model_dump()
    assert classify.Settings(label_balance="class_weights").model_dump()["label_balance"] == "class_weights"
