"""DPO and SFT whose checkpoint is chosen by the score of answers to validation cases, as a study's stages."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

import study_runs
from preceptor.engine import Numerics, flops_of
from preceptor.models import AdapterSettings, adapter_slots, blueprint, load_policy
from preceptor.study.label_scores.scored import likeliest_labels
from preceptor.study.plan.forecast import stage_work
from preceptor.study.score import case_score
from preceptor.study.stages._validation_answers import SAMPLES
from preceptor.study.stages.dpo import how_trained
from prepared_study import prepare_tiny


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, tiny_model_folder: Path) -> Path:
    folder = tmp_path_factory.mktemp("score")
    return study_runs.run(
        folder,
        tiny_model_folder,
        folder / "run",
        arms=["base", "sft", "sft+dpo", "sft+sft"],
        sft={"epochs": 1, "batch_size": 8, "learning_rate": 0.01, "metric_for_best_model": "score"},
        dpo={"epochs": 1, "batch_size": 4, "learning_rate": 0.001},
        pairs={"limit": 12},
    ).folder


def ledgers(run: Path, kind: str) -> list[tuple[Path, dict[str, Any]]]:
    found = [(file.parent, json.loads(file.read_text())) for file in run.glob("stages/*/ledger.json")]
    return sorted((one for one in found if one[1]["kind"] == kind), key=lambda one: len(one[1]["history"]))


def test_the_kept_weights_answer_validation_cases_as_well_as_the_ledger_says(
    run: Path, tmp_path: Path, tiny_tokenizer: Any, tiny_source: Any
) -> None:
    _, prepared = prepare_tiny(tmp_path, tiny_tokenizer, patients=60)
    task, validation = prepared.task, prepared.splits.validation
    ((folder, dpo),) = ledgers(run, "dpo")
    policy = load_policy(tiny_source, folder, dtype=torch.float32)
    prompts = [case.prompt for case in prepared.validation]
    numerics = Numerics(dtype="float32", threads=1)
    texts, _ = likeliest_labels(policy, prompts, task=task, numerics=numerics, max_length=256)
    scores = [case_score(task, texts[n], example) for n, example in enumerate(validation)]
    said = dpo["delivered"]
    assert said["eval_score"] == pytest.approx(sum(scores) / len(scores))
    assert said["eval_score"] >= said["eval_score_at_start"]
    assert said.keys() >= {"steps", "dose", "kept_step", "eval_pair_accuracy_at_start", "eval_pair_accuracy", "eval_kl"}


def test_every_stage_that_goes_on_looks_at_its_start(run: Path) -> None:
    ((_, dpo),) = ledgers(run, "dpo")
    stages = [dpo, *(one for _, one in ledgers(run, "sft"))]
    first = [min(row["step"] for row in one["history"] if "eval_score" in row) for one in stages]
    assert first[0] == 0
    assert [step > 0 for step in sorted(first[1:])] == [False, True], "SFT begins, continued SFT goes on"
    start = next(row for row in dpo["history"] if row["step"] == 0)
    assert start["eval_rewards/margins"] == start["eval_kl"] == 0
    assert all(one["cost"]["evaluation_flops"] > 0 for one in stages)


def test_a_plan_counts_the_answers_of_every_look(tmp_path: Path, tiny_tokenizer: Any, tiny_source: Any) -> None:
    model = blueprint(tiny_source, adapter_slots(AdapterSettings(rank=4)), torch.float32)

    def dpo_work(metric: str) -> Any:
        dpo = {"epochs": 1, "batch_size": 4, "metric_for_best_model": metric}
        study, prepared = prepare_tiny(tmp_path, tiny_tokenizer, dpo=dpo)
        stage = study.stage_of("sft+dpo")
        return prepared, stage_work(study, prepared, stage, model, Path(), shares=True)

    prepared, by_score = dpo_work("score")
    _, by_loss = dpo_work("loss")
    looks = sum(unit.repeats for unit in by_score if unit.kind == "save")
    read = sum(unit.repeats * unit.seen for unit in by_score if unit.kind == "read")
    cases = [len(case.prompt) + len(case.answer) for case in prepared.validation]
    assert looks > 1
    assert read == sum(len(case.prompt) for case in prepared.validation[:SAMPLES]), "answers by which eval_kl is found"
    scored = [
        sum(unit.repeats * unit.seen for unit in work if unit.look and unit.kind == "score")
        for work in (by_score, by_loss)
    ]
    label = len(prepared.train[0].answer)
    labels = sum(len(prepared.task.labels) * (len(case.prompt) + label) for case in prepared.validation)
    assert scored[0] - scored[1] == looks * labels + (looks + 1) * sum(cases[:SAMPLES])
    assert not [unit for unit in by_loss if unit.kind == "read"]
    training = [flops_of([unit for unit in work if not unit.look], model) for work in (by_score, by_loss)]
    assert training[0] == training[1]


def test_methods_say_by_what_the_weights_were_chosen() -> None:
    assert "scored highest" in how_trained({"metric_for_best_model": "score", "epochs": 1}, "LoRA")
    assert "lowest loss" in how_trained({"epochs": 1}, "LoRA"), "a run from before there was a choice"
