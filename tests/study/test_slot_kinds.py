"""Every kind of adapter as an arm of a study: its slot learns, the model below it does not, and the arm answers."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch

import study_runs
from preceptor.engine.training import tune
from preceptor.models import BACKBONE, Policy, save_policy, slot_weights, start_policy
from preceptor.report import read_run
from preceptor.report._methods import methods
from study_runs import Run

pytestmark = pytest.mark.slow

KINDS: dict[str, dict[str, Any]] = {
    "LORA": {"r": 4, "lora_alpha": 8, "target_modules": "all-linear"},
    "IA3": {"target_modules": "all-linear", "feedforward_modules": []},
    "LOHA": {"r": 2, "alpha": 4, "target_modules": "all-linear"},
    "PREFIX_TUNING": {"num_virtual_tokens": 4},
    "PROMPT_TUNING": {"num_virtual_tokens": 4},
    "P_TUNING": {"num_virtual_tokens": 4, "encoder_hidden_size": 8},
}


class Done:
    """A finished study with an arm for each kind, and the policies that its stages saved, by the name of their slot."""

    def __init__(self, run: Run, policies: Mapping[str, Policy]) -> None:
        self.run, self.policies = run, policies


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory, tiny_model_folder: Any) -> Done:
    folder = tmp_path_factory.mktemp("kinds")
    data = {"path": "cases.csv", "target": "urgency", "group": "patient"}
    few = {"train": 16, "validation": 4, "test": 6}
    policies: dict[str, Policy] = {}

    def save(policy: Policy, into: Any, weights: Any = None) -> None:
        policies[next(iter(policy.slots))] = policy
        save_policy(policy, into, weights)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tune, "save_policy", save)
        run = study_runs.run(
            folder,
            tiny_model_folder,
            folder / "run",
            slots={kind.lower(): {"type": kind, **settings} for kind, settings in KINDS.items()},
            stages={f"by_{kind.lower()}": {"kind": "sft", "train": [kind.lower()]} for kind in KINDS},
            arms=["base", *(f"by_{kind.lower()}" for kind in KINDS)],
            tasks=[{"task": "urgency.task.yaml", "data": data, "limit": few}],
            sft={"epochs": 1, "batch_size": 4, "learning_rate": 0.02},
        )
    return Done(run, policies)


@pytest.mark.parametrize("kind", KINDS)
def test_its_arm_answers_every_held_out_case(done: Done, kind: str) -> None:
    results = done.run.results
    assert results["failed"] == []
    (cell,) = [one for one in results["cells"] if one["arm"] == f"by_{kind.lower()}"]
    assert cell["learning"]["sft"] == dict(done.policies[kind.lower()].learning)
    answers = (done.run.folder / cell["predictions"]["path"]).read_text().splitlines()
    assert len(answers) == 6


@pytest.mark.parametrize("kind", KINDS)
def test_its_weights_moved_and_those_of_the_model_did_not(done: Done, kind: str, tiny_source: Any) -> None:
    after = done.policies[kind.lower()]
    before = start_policy(tiny_source, None, after.slots, list(after.slots), seed=0, dtype=torch.float32)
    assert list(after.slots) == [kind.lower()]
    assert after.learning == before.learning

    def moved(slot: str) -> set[bool]:
        fresh = slot_weights(before.model, slot)
        return {not torch.equal(weight, fresh[name]) for name, weight in slot_weights(after.model, slot).items()}

    assert moved(kind.lower()) == {True}
    assert moved(BACKBONE) == {False}


def test_the_report_says_how_many_numbers_learned_in_each(done: Done) -> None:
    said = " ".join(methods(read_run(done.run.folder)))
    assert "Numbers that learned, by slot: " in said
    for kind, policy in done.policies.items():
        assert f" {policy.learning[kind]:,} in {kind}" in said


@pytest.mark.parametrize("kind", KINDS)
def test_it_computed_a_prefix_tree(done: Done, kind: str) -> None:
    assert done.policies[kind.lower()].shares_prefixes is True
    (cell,) = [one for one in done.run.results["cells"] if one["arm"] == f"by_{kind.lower()}"]
    assert cell["cost"]["tokens_computed"] < cell["cost"]["tokens_seen"]


def test_what_stands_in_front_of_an_encoder_learns_with_a_head(tmp_path: Path, tiny_encoder_folder: Path) -> None:
    kinds = ("PREFIX_TUNING", "PROMPT_TUNING", "P_TUNING")
    done = study_runs.run(
        tmp_path,
        tiny_encoder_folder,
        tmp_path / "run",
        slots={kind.lower(): {"type": kind, **KINDS[kind]} for kind in kinds} | {"top": {"type": "head"}},
        stages={f"by_{kind.lower()}": {"kind": "classify", "train": [kind.lower(), "top"]} for kind in kinds},
        arms=["tfidf", *(f"by_{kind.lower()}" for kind in kinds)],
        classify={"epochs": 1, "batch_size": 4, "learning_rate": 0.02},
    )
    assert done.results["failed"] == []
    assert [cell["invalid_rate"] for cell in done.results["cells"]] == [0, 0, 0, 0]
