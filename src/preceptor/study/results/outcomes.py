"""Figures of what arms were asked beside their task, and differences of arms that the study compares anyway."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np

from preceptor.evidence import FigureDifference, compare_figure, estimate_figure, holm
from preceptor.study.asked_items import Figure, Item, columns_of
from preceptor.study.results.cells import Cell
from preceptor.study.results.outcome_schema import FigurePart, OutcomeContrast, OutcomePart, OutcomeValue
from preceptor.study.run.failures import Failure
from preceptor.study.spec.arms import Arm
from preceptor.study.spec.found import find_outcome

Arms = Mapping[str, Arm]


@dataclass(frozen=True, slots=True)
class _Of:
    """A figure of one arm with one seed: the items and rows that it is of."""

    figure: Figure
    items: list[Item]
    rows: list[dict[str, float]]

    @property
    def groups(self) -> list[str]:
        return [one.group for one in self.items]

    @property
    def texts(self) -> list[Any]:
        """What was asked, token by token."""
        return [one.texts for one in self.items]


def outcome_parts(
    cells: Sequence[Cell], also: Sequence[str], not_asked: Mapping[str, str], failed: Mapping[str, list[Failure]]
) -> list[OutcomePart]:
    """The outcomes in words. failed: of each outcome, which arms could not be asked it."""
    return [_part(cells, name, not_asked, failed.get(name, [])) for name in also]


def outcome_values(cells: Sequence[Cell]) -> list[OutcomeValue]:
    """Every figure of every arm and seed."""
    return [_value(cell, name, of) for cell in cells for name in cell.also for of in _figures(cell, name) if of.items]


def outcome_contrasts(cells: Sequence[Cell], arms: Arms, primary: Sequence[tuple[str, str]]) -> list[OutcomeContrast]:
    """Of each two arms that are compared on the task, by each figure that arms are compared by."""
    pairs = list(dict.fromkeys([*primary, *((arm.name, other) for arm in arms.values() for other in arm.against)]))
    found = [
        (cell.prepared.task.name, name, of.figure.name, a, b, difference)
        for a, b in pairs
        for cell in _first_of_task(cells, a)
        for name in cell.also
        for of in _figures(cell, name)
        if of.figure.paired and (difference := _difference(cells, cell, b, name, of.figure.name))
    ]
    found.sort(key=lambda one: one[:2])
    return [contrast for _, family in groupby(found, key=lambda one: one[:2]) for contrast in _adjusted(list(family))]


def _adjusted(family: Sequence[tuple[str, str, str, str, str, FigureDifference]]) -> list[OutcomeContrast]:
    adjusted = holm([difference.p for *_, difference in family])
    return [
        OutcomeContrast(
            outcome=name, figure=figure, task=task, a=a, b=b, delta=one.delta, ci=_interval(one.low, one.high),
            p=one.p, p_adjusted=p,
        )
        for (task, name, figure, a, b, one), p in zip(family, adjusted, strict=True)
    ]  # fmt: skip


def _first_of_task(cells: Sequence[Cell], arm: str) -> list[Cell]:
    """The arm's first cell on each task."""
    first: dict[str, Cell] = {}
    for cell in cells:
        if cell.arm == arm:
            first.setdefault(cell.prepared.task.name, cell)
    return list(first.values())


def _difference(cells: Sequence[Cell], first: Cell, b: str, name: str, figure: str) -> FigureDifference | None:
    """The difference of `first`'s arm and `b` on its task; None where they have no items or no seed in common."""
    own = [one for one in cells if one.prepared is first.prepared and name in one.also]
    theirs = {one.seed: one for one in own if one.arm == b}
    both = [(one, theirs[one.seed]) for one in own if one.arm == first.arm and one.seed in theirs]
    ours, others = (
        [_figure(one, name, figure) for one in arm] for arm in (zip(*both, strict=True) if both else ((), ()))
    )
    if not ours or any(one.groups != ours[0].groups for one in (*ours, *others)):
        return None
    if ours[0].figure.of_tokens and any(one.texts != ours[0].texts for one in (*ours, *others)):
        return None
    columns = [[columns_of(one.rows) for one in arm] for arm in (ours, others)]
    found = compare_figure(ours[0].figure.value, columns[0], columns[1], np.array(ours[0].groups))
    return found if math.isfinite(found.delta) else None


def _figure(cell: Cell, outcome: str, figure: str) -> _Of:
    return next(one for one in _figures(cell, outcome) if one.figure.name == figure)


def _figures(cell: Cell, outcome: str) -> list[_Of]:
    given = cell.also[outcome]
    found = []
    for figure in find_outcome(outcome).figures(given.items):
        own = [n for n, item in enumerate(given.items) if item.kind in figure.kinds]
        found.append(_Of(figure, [given.items[n] for n in own], [given.rows[n] for n in own]))
    return found


def _value(cell: Cell, outcome: str, of: _Of) -> OutcomeValue:
    found = estimate_figure(of.figure.value, columns_of(of.rows), np.array(of.groups))
    return OutcomeValue(
        outcome=outcome, figure=of.figure.name, task=cell.prepared.task.name, arm=cell.arm, seed=cell.seed,
        value=found.value if math.isfinite(found.value) else None, ci=_interval(found.low, found.high),
        n=len(of.rows), groups=len({*of.groups}),
    )  # fmt: skip


def _part(cells: Sequence[Cell], name: str, not_asked: Mapping[str, str], failed: list[Failure]) -> OutcomePart:
    outcome, asked = find_outcome(name), next((cell for cell in cells if name in cell.also), None)
    figures = [one.figure for one in _figures(asked, name)] if asked else []
    warnings = outcome.warnings(asked.also[name].items) if asked else []
    return OutcomePart(
        name=name, title=outcome.title, explanation=outcome.explanation, warnings=warnings,
        figures=[FigurePart.model_validate(one, from_attributes=True) for one in figures], not_asked=dict(not_asked),
        failed=failed,
    )  # fmt: skip


def _interval(low: float | None, high: float | None) -> tuple[float, float] | None:
    known = low is not None and high is not None and math.isfinite(low) and math.isfinite(high)
    return (low, high) if known else None  # type: ignore[return-value]
