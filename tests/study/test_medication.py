"""The built-in study `medication`: what its arms differ in, and what must hold of them."""

from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from preceptor.study import load_study, run_study

STUDENTS = ("student", "student+kd", "student+kd@shuffled")
PROFILED = ("student+kd+profile", "student+kd+align")


def test_the_students_differ_in_what_they_learn_toward_alone() -> None:
    study, _ = load_study("medication")
    (entry,) = study.tasks
    stages = {arm: study.stage_of(arm) for arm in STUDENTS}
    settings = [study.settings_of(stage, entry) for stage in stages.values() if stage]
    assert len(settings) == 3
    assert settings[0] == settings[1] == settings[2]
    assert {arm: stage.toward is not None for arm, stage in stages.items() if stage} == {
        "student": False,
        "student+kd": True,
        "student+kd@shuffled": True,
    }
    taught, shuffled = (study.stages[name].toward for name in ("kd", "kd-shuffled"))
    assert taught is not None
    assert shuffled == taught.model_copy(update={"permute": True})
    teacher = study.stage_of("teacher")
    assert teacher in stages["student+kd"].required  # type: ignore[union-attr]
    assert {study.arm(arm).model for arm in STUDENTS} == {"small"}


def test_what_aligns_differs_in_that_alone_from_what_is_shown_the_same_profile() -> None:
    study, _ = load_study("medication")
    (entry,) = study.tasks
    without, aligned = (study.stages[name] for name in ("kd-profile", "kd-align"))
    assert aligned.model_dump(exclude={"align"}) == without.model_dump()
    assert without.model_dump(exclude={"model"}) == study.stages["kd"].model_dump(exclude={"model"})
    assert study.models["small"] == study.models["profiled"]
    assert {study.arm(arm).view for arm in PROFILED} == {"profile"}
    assert study.arm("student+kd+align").against == ("student+kd+profile", "student+kd")
    codes, profile = (entry.views[name].template for name in ("codes", "profile"))
    assert profile == f"profile: sex {{sex}}; age {{age}}\n{codes}"


def test_it_says_how_many_patients_come_for_the_first_time() -> None:
    """Trap 8; trap 16: first and later visits, and all that a profile holds, stand apart in the results."""
    study, _ = load_study("medication")
    (entry,) = study.tasks
    assert entry.data.subgroups == ("visit", "sex", "age")
    assert entry.interactions == "medication_interactions.csv"
    assert entry.margin == 0.03


@pytest.mark.slow_recipe
def test_at_a_small_size_all_arms_answer_and_every_student_does_better_than_frequency(
    tmp_path: Path, tiny_model_folder: Path
) -> None:
    sizes = {"train": 120, "validation": 30, "test": 40}
    limits = [f"tasks.medication.limit.{part}={count}" for part, count in sizes.items()]
    students = ("student", "kd", "kd-shuffled", "kd-profile", "kd-align")
    quick = ["classify.epochs=1", *(f"stages.{name}.epochs=20" for name in students)]
    given = [f"model={tiny_model_folder}", "max_length=2048", "numerics.threads=1", "numerics.dtype=float32"]
    study, base = load_study("medication", [*given, *limits, *quick])
    results = run_study(study, base, tmp_path / "run", Console(quiet=True), command="preceptor study")
    values = {one.arm: one.value for one in results.cells}
    assert values.keys() == set(study.arm_names)
    assert results.failed == []
    of: dict[str, Any] = {arm: values[arm] for arm in ("student", "student+kd", *PROFILED)}
    assert all(value > values["frequency"] + 0.05 for value in of.values())
    (task,) = results.study.tasks
    assert task.interactions is not None
    assert task.interactions.pairs == 21
    use = {one.arm: one.use.model_bytes for one in results.cells if one.use}
    assert use["student"] == use["student+kd"] != use["teacher"]
