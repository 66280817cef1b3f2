"""When the held-out cases are from, and how well each arm does on the groups of them that the study names."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from preceptor.evidence import find_metric, value_of
from preceptor.study.cases import Prepared
from preceptor.study.disclosure import FEWEST_PATIENTS, RARE
from preceptor.study.results.cells import Cell
from preceptor.study.results.task_schema import Dates, Subgroup

FEWEST_CASES = 10
"""A metric of fewer cases says more about these cases than about the group."""


def dates_of(prepared: Prepared) -> Dates | None:
    """The first and the last date of the held-out cases, ISO 8601; None where the data have no dates."""
    dates = sorted(example.date for example in prepared.splits.test if example.date)
    return Dates(first=dates[0], last=dates[-1]) if dates else None


def subgroups_of(prepared: Prepared, cells: Sequence[Cell]) -> list[Subgroup]:
    """Each group with its cases, patients, and each arm's main metric (mean over seeds; None below 10 cases)."""
    return [
        Subgroup(
            column=column,
            value=value,
            cases=int(inside.sum()),
            patients=len({e.group for e, is_in in zip(prepared.splits.test, inside, strict=True) if is_in}),
            values={
                arm: _mean_value(prepared, [cell for cell in cells if cell.arm == arm], inside)
                for arm in dict.fromkeys(cell.arm for cell in cells)
            },
        )
        for column in prepared.entry.data.subgroups
        for value, inside in _groups(prepared, column)
    ]


def _groups(prepared: Prepared, column: str) -> Iterator[tuple[str, np.ndarray[Any, np.dtype[np.bool_]]]]:
    patients: dict[str, set[str]] = {}
    for example in prepared.splits.test:
        patients.setdefault(example.metadata[column], set()).add(example.group)
    values = np.array([example.metadata[column] for example in prepared.splits.test])
    told = sorted(value for value, some in patients.items() if len(some) >= FEWEST_PATIENTS)
    for value in told:
        yield value, values == value
    if len(told) < len(patients):
        yield RARE, ~np.isin(values, told)


def _mean_value(prepared: Prepared, cells: Sequence[Cell], inside: np.ndarray[Any, np.dtype[np.bool_]]) -> float | None:
    if inside.sum() < FEWEST_CASES:
        return None
    metric = prepared.task.metric
    values = [value_of(find_metric(metric), cell.sample(metric).take(inside)) for cell in cells]
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if len(known) == len(values) else None
