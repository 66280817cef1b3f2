"""Which tests each target of the Makefile runs: together all of them, none twice."""

import re
from itertools import chain, combinations
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MARKS = ("slow", "slow_recipe", "model")


def runs(target: str, marks: tuple[str, ...]) -> bool:
    """Whether a target runs a test with these marks: pytest's expressions are Python's, each mark true or false."""
    (expression,) = re.findall(
        rf'^{target}:.*\n\t.* -m pytest -m "?([a-z_ ]+?)"?(?: -|$)', (ROOT / "Makefile").read_text(), re.MULTILINE
    )
    return bool(eval(expression, {mark: mark in marks for mark in MARKS}))


@pytest.mark.parametrize("marks", chain.from_iterable(combinations(MARKS, n) for n in range(len(MARKS) + 1)), ids=str)
def test_a_test_is_run_by_one_of_two_targets_and_the_quick_one_leaves_both_slow_kinds_out(
    marks: tuple[str, ...],
) -> None:
    assert runs("test", marks) != runs("test-recipes", marks)
    assert runs("test-quick", marks) == {"slow", "slow_recipe"}.isdisjoint(marks)


def test_a_change_is_kept_when_both_pass() -> None:
    steps = (ROOT / ".ci/run").read_text().splitlines()
    assert {"make test", "make test-recipes"} <= {*steps}
