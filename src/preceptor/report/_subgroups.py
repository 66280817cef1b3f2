"""The groups of held-out cases that a study names, as the page shows them."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby

from preceptor.report import _numbers as numbers
from preceptor.report._small_counts import FEWEST_SHOWN, shown_labels
from preceptor.study.results.schema import Results
from preceptor.study.results.task_schema import Subgroup, TaskPart
from preceptor.study.spec.arms import GENERATE

_RARE = f"a value of fewer than {FEWEST_SHOWN} patients"


@dataclass(frozen=True)
class GroupRow:
    """One group as printed; `values`: arm -> metric."""

    column: str
    value: str
    cases: str
    values: dict[str, float | None]


@dataclass(frozen=True)
class Gap:
    """The groups of one column on which the arm does best and worst."""

    column: str
    arm: str
    low: float
    lowest: str
    high: float
    highest: str


def group_rows(task: TaskPart, *, opened: bool) -> list[GroupRow]:
    """Every group; small counts of real cases, and what a few patients have for a value, are hidden unless `opened`."""
    return [
        GroupRow(
            group.column,
            group.value if opened or group.patients >= FEWEST_SHOWN else _RARE,
            counts[group.value],
            group.values,
        )
        for groups in _by_column(task)
        for counts in [_counts(groups, opened=opened)]
        for group in groups
    ]


def gaps(results: Results, task: TaskPart) -> list[Gap]:
    """One a column, for the arm furthest along that has a value in two groups or more."""
    arms = [arm for arm in map(results.arm, results.study.arms) if arm.answer == GENERATE and not arm.control_of]
    furthest = [arm.name for arm in sorted(arms, key=lambda arm: -len(arm.stages)) if not arm.further_source]
    return [gap for groups in _by_column(task) if (gap := _gap(groups, furthest))]


def _by_column(task: TaskPart) -> Iterator[list[Subgroup]]:
    for _, groups in groupby(task.subgroups, lambda group: group.column):
        yield list(groups)


def _counts(groups: list[Subgroup], *, opened: bool) -> dict[str, str]:
    counts = {group.value: group.cases for group in groups}
    return {value: numbers.count(n) for value, n in counts.items()} if opened else shown_labels(counts)


def _gap(groups: list[Subgroup], arms: list[str]) -> Gap | None:
    for arm in arms:
        known = [(value, group.value) for group in groups if (value := group.values.get(arm)) is not None]
        if len(known) > 1:
            (low, lowest), (high, highest) = min(known), max(known)
            return Gap(groups[0].column, arm, low, lowest, high, highest)
    return None
