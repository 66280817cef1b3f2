"""What holds for the cases of every built-in task."""

import random
from importlib import import_module

import pytest

from preceptor.errors import InputError
from preceptor.tasks import INVALID, builtin_tasks, load_task, make_cases
from preceptor.tasks._generators import generators

WITH_CASES = generators()


def test_an_unknown_generator_is_refused_with_the_known_ones() -> None:
    with pytest.raises(InputError, match="numeric_classification"):
        make_cases("dreams", 10, 0)


def test_every_built_in_task_has_cases_and_no_generator_is_left_over() -> None:
    assert sorted(load_task(name).cases or "" for name in builtin_tasks()) == WITH_CASES


@pytest.mark.parametrize("name", WITH_CASES)
def test_cases_fit_their_task(name: str) -> None:
    task = load_task(name)
    for case in make_cases(name, 40, seed=3):
        assert set(task.fields) <= set(case.fields)
        assert task.messages(case)[-1]["content"]
        assert task.parse(case.target) != INVALID
        if task.answer.elements:
            assert task.facts(case.target)


@pytest.mark.parametrize("name", WITH_CASES)
def test_every_label_is_in_every_split(name: str) -> None:
    task = load_task(name)
    cases = make_cases(name, 600, seed=3)
    for split in ("train", "validation", "test"):
        found = {task.parse(case.target) for case in cases if case.split == split}
        assert set(task.labels) <= found


@pytest.mark.parametrize("name", WITH_CASES)
def test_patterns_and_wordings_are_on_one_side_only(name: str) -> None:
    draw = import_module(f"preceptor.tasks.cases.{name}").draw
    rng = random.Random(0)
    train, test = ([draw(rng, side) for _ in range(400)] for side in ("train", "test"))
    assert {case.pattern for case in train}.isdisjoint(case.pattern for case in test)
    assert {case.wording for case in train}.isdisjoint(case.wording for case in test)


@pytest.mark.parametrize("name", WITH_CASES)
def test_the_same_seed_gives_the_same_cases_and_another_seed_others(name: str) -> None:
    assert make_cases(name, 40, seed=1) == make_cases(name, 40, seed=1)
    assert make_cases(name, 40, seed=1) != make_cases(name, 40, seed=2)
