"""What a contradiction is, and what checks of it share."""

from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel

from preceptor.study.results.cell_schema import Cell
from preceptor.study.results.contrast_schema import Contrast
from preceptor.study.results.schema_values import Interval
from preceptor.study.results.task_schema import TaskPart

ROUNDING = 1e-6

Wrong = tuple[str, str]
"""The place in the file, such as `cells.3.n`, and what is wrong there."""


def within(place: str, found: Iterator[Wrong]) -> Iterator[Wrong]:
    """The same of an entry that stands at `place`."""
    return ((f"{place}.{inner}", what) for inner, what in found)


def differ(told: float | None, found: float | None) -> bool:
    """Whether two numbers that are both known differ by more than rounding does."""
    return told is not None and found is not None and abs(told - found) > ROUNDING


def unlike(told: Any, found: Any) -> bool:
    """Whether two values differ by more than rounding does, whatever they are made of."""
    if isinstance(told, float) and isinstance(found, float):
        return differ(told, found)
    if isinstance(told, list | tuple) and isinstance(found, list | tuple):
        return len(told) != len(found) or any(map(unlike, told, found))
    if isinstance(told, BaseModel) and isinstance(found, BaseModel):
        return any(unlike(getattr(told, name), getattr(found, name)) for name in type(found).model_fields)
    return bool(told != found)


def of_metric_and_cases(one: Cell | Contrast, task: TaskPart) -> Iterator[Wrong]:
    """A cell or contrast is in the metric of its task, on all of its held-out cases."""
    if one.metric != task.metric:
        yield "metric", "it is not the metric of its task"
    if one.n != task.counts.test:
        yield "n", f"it is {one.n}, and the task has {task.counts.test} held-out cases"
    if one.patients is not None and one.patients != task.counts.groups_test:
        yield "patients", f"it is {one.patients}, and the task has {task.counts.groups_test} held-out patients"


def of_p(p: float | None, adjusted: float | None) -> Iterator[Wrong]:
    """A p beside the adjusted one."""
    if p is not None and adjusted is not None and adjusted < p - ROUNDING:
        yield "p_adjusted", "it is smaller than p, and adjusting can only make it larger"


def ends(interval: Interval | None) -> tuple[float, float] | None:
    """Both ends of an interval, where there is one."""
    if interval is None or interval[0] is None or interval[1] is None:
        return None
    return interval[0], interval[1]
