"""The built-in study `debias`: what its arms learn from, and that the control differs in nothing else."""

from typing import Any

import pytest

from preceptor.data import augmented
from preceptor.study import Study, load_study
from preceptor.study.cases import case_text, read_task
from preceptor.study.spec.stacks import slots_of

ADAPTED = ("lora", "prefix", "prompt", "lora-unchanged")


@pytest.fixture(scope="module")
def study() -> Study:
    return load_study("debias")[0]


def settings_of(study: Study, arm: str) -> Any:
    stage = study.stage_of(arm)
    assert stage is not None
    return study.settings_of(stage, study.tasks[0])


def test_the_control_learns_with_the_same_settings_but_for_the_counterfactuals(study: Study) -> None:
    swapped, same = (settings_of(study, arm) for arm in ("lora", "lora-unchanged"))
    assert same == swapped.model_copy(update={"counterfactual": "unchanged"})
    assert slots_of(study, study.stage_of("lora")) == slots_of(study, study.stage_of("lora-unchanged"))
    assert {settings_of(study, arm).counterfactual for arm in ADAPTED[:3]} == {"gender"}
    assert len({settings_of(study, arm).batch_size for arm in ADAPTED}) == 1


def test_every_arm_is_compared_with_the_untouched_model_and_lora_with_its_control(study: Study) -> None:
    assert study.arm_names == ("base", *ADAPTED)
    for arm in ADAPTED:
        assert study.arm(arm).against == (("base", "lora-unchanged") if arm == "lora" else ("base",))
        assert study.arm(arm).view == study.arm("base").view


def test_there_are_sentences_to_swap_and_600_pairs_at_most(study: Study) -> None:
    cases = read_task(study.tasks[0], study, load_study("debias")[1])
    seen = cases.views[str(study.arm("lora").view)]
    pairs, counts = augmented(case_text(seen.task, one) for one in seen.splits.train)
    assert 200 <= len(pairs) <= 600
    assert counts["swapped"] > 5 * counts["ambiguous"] > 0
