"""The built-in study `long_notes`, on tiny stand-ins of its models and few cases: what each arm is shown."""

from pathlib import Path
from statistics import mean
from typing import Any

import pytest

from preceptor.models import SNIPPET_POOLS, find_model, load_tokenizer, snippets_of
from preceptor.study import load_study
from preceptor.study.cases import Prepared, case_text, check_task, prepare, read_task
from preceptor.study.check_slots import idle_settings
from preceptor.study.other_models import find_other_models
from preceptor.study.spec.file import make_study
from preceptor.study.spec.stacks import slots_of
from preceptor.text_pieces import pieces_of


@pytest.fixture(scope="module")
def study(tiny_model_folder: Path, tiny_encoder_folder: Path) -> Any:
    raw = load_study("long_notes")[0].model_dump(mode="json")
    raw |= {"model": str(tiny_model_folder), "max_length": 20_000}
    raw["models"] = {name: {"model": str(tiny_encoder_folder), "layers": 1} for name in raw["models"]}
    raw["tasks"][0] |= {"data": {"cases": 40, "seed": 2}, "limit": {}}
    return make_study(raw, "test")


@pytest.fixture(scope="module")
def prepared(study: Any) -> Prepared:
    tokenizer = load_tokenizer(find_model(study.model))
    checked = check_task(read_task(study.tasks[0], study, Path()), study, tokenizer)
    return prepare(checked, study, tokenizer, find_other_models(study, Path()))


def shown_to(study: Any, prepared: Prepared, arm: str) -> Prepared:
    return prepared.given_to(study.arm(arm), 0)


def test_arms_on_snippets_read_those_with_the_evidence_and_random_ones_seldom(study: Any, prepared: Prepared) -> None:
    held = {}
    for arm in ("snippets-attention", "snippets-mean", "random-snippets"):
        given = shown_to(study, prepared, arm)
        texts = [pieces_of(case_text(given.task, one)) for one in given.splits.test]
        assert [len(snippets_of(prompt)) for prompt in given.test] == list(map(len, texts))
        proof = [one.fields["evidence"] for one in given.splits.test]
        held[arm] = mean(any(one in text for text in some) for one, some in zip(proof, texts, strict=True))
    assert held["snippets-attention"] == held["snippets-mean"] == 1
    assert held["random-snippets"] < 0.6


def test_snippets_are_a_quarter_of_the_tokens_of_all_chunks_at_most(study: Any, prepared: Prepared) -> None:
    tokens = {
        arm: sum(map(len, shown_to(study, prepared, arm).test))
        for arm in ("all-chunks", "snippets-attention", "cut-512")
    }
    assert tokens["snippets-attention"] <= tokens["all-chunks"] / 4
    assert tokens["cut-512"] < tokens["all-chunks"]


def test_no_arm_is_shown_the_evidence_as_a_field(study: Any, prepared: Prepared) -> None:
    for arm in study.arm_names:
        task = shown_to(study, prepared, arm).task
        assert f"{{{task.evidence}}}" not in task.prompt
        assert task.evidence == "evidence"


def test_encoders_differ_in_what_they_read_and_how_it_is_pooled_alone(study: Any) -> None:
    """But for that of whole notes, which is too long to be trained beside them: its head learns alone."""
    stages = {arm: study.stage_of(arm) for arm in study.arm_names if study.stage_of(arm)}
    assert len({str(study.other_models[stage.model]) for stage in stages.values()}) == 1
    whole = stages.pop("all-chunks")
    assert {slot.type for slot in slots_of(study, whole)[0].values()} == {"head"}
    settings = [study.settings_of(stage, study.tasks[0]) for stage in stages.values()]
    assert all(one == settings[0] for one in settings)
    assert study.settings_of(whole, study.tasks[0]).learning_rate == settings[0].learning_rate
    adapters = [
        {name: slot for name, slot in slots_of(study, stage)[0].items() if slot.type != "head"}
        for stage in stages.values()
    ]
    assert all(one == adapters[0] != {} for one in adapters)
    by_weight, random = (slots_of(study, study.stage_of(arm))[0] for arm in ("snippets-attention", "random-snippets"))
    assert by_weight == random
    assert by_weight["weighed"].settings["pool"] in SNIPPET_POOLS
    assert idle_settings(study) == []


def test_further_models_are_written_as_they_were_meant(study: Any) -> None:
    assert load_study("long_notes")[0].model_dump()["models"]["parts"] == {"model": "all-minilm-l6-v2", "layers": 2}
    plain = make_study(
        {
            "name": "plain", "models": {"one": "folder"}, "arms": ["base"],
            "tasks": [{"task": "long_note", "data": {"cases": 30}}],
        },
        "test",
    )  # fmt: skip
    assert plain.model_dump()["models"] == {"one": "folder"}
