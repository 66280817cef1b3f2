"""How good arms are by how many cases of each label they do with."""

from collections.abc import Sequence
from itertools import groupby
from statistics import fmean

from matplotlib import rc_context
from matplotlib.axes import Axes

from preceptor.report import _numbers as numbers
from preceptor.report._looks import (
    STYLE,
    WIDTH,
    arm_label,
    colour,
    legend,
    mark,
    plot_of_values,
)
from preceptor.report._svg import to_svg
from preceptor.study.results.cell_schema import Cell
from preceptor.study.results.schema import ArmPart, Results
from preceptor.study.results.task_schema import TaskPart

_BESIDE = 0.05  # between arms that do with as many cases, in places of the axis
ALL = "all"

Curve = tuple[str, list[tuple[ArmPart, list[Cell]]]]
"""What its arms have in common, in words; the arms with their cells, those with fewest cases first."""


def few_figure(name: str, results: Results, task: TaskPart) -> str | None:
    """SVG: a line for arms that differ only in `per_label`, through the means of their seeds; each seed a mark with its
    95% interval. None where no arm has it.
    """
    curves = _curves(results, task)
    if not curves:
        return None
    places = _places(curves)
    titles = [title for title, _ in curves]
    with rc_context(STYLE):
        figure, axes = plot_of_values(task, titles)
        for number, curve in enumerate(curves):
            _draw(axes, results, curve, places, _BESIDE * (number - (len(curves) - 1) / 2))
        axes.set_xticks(range(len(places)), [*places])
        axes.set_xlim(-0.4, len(places) - 0.6)
        axes.set_xlabel("training cases of each label", fontsize=8.5)
        legend(figure, titles, WIDTH)
        return to_svg(figure, name, f"{task.title}: value by cases of each label", _in_words(curves))


def _curves(results: Results, task: TaskPart) -> list[Curve]:
    """Of arms with `per_label`, beside those that are the same with all cases."""

    def alike(arm: ArmPart) -> tuple[str, ...]:
        return (*arm.stages, arm.answer, arm.view or "", arm.model or "")

    arms = [results.arm(name) for name in results.study.arms]
    few = {alike(arm) for arm in arms if arm.per_label}
    drawn = sorted((arm for arm in arms if alike(arm) in few), key=alike)
    found = []
    for _, same in groupby(drawn, alike):
        by_size = sorted(same, key=lambda arm: arm.per_label or 1 << 60)
        cells = [
            (arm, [one for one in results.of_arm(task.name, arm.name) if one.value is not None]) for arm in by_size
        ]
        title = arm_label(results, by_size[0].name).removesuffix(f", {by_size[0].per_label} a label")
        if any(own for _, own in cells):
            found.append((title, [(arm, own) for arm, own in cells if own]))
    return sorted(found, key=lambda curve: results.study.arms.index(curve[1][0][0].name))


def _places(curves: Sequence[Curve]) -> dict[str, int]:
    """Where on the axis each number of cases stands; all of them last."""
    sizes = {arm.per_label for _, arms in curves for arm, _ in arms}
    words = [str(size) for size in sorted(size for size in sizes if size)] + [ALL] * (None in sizes)
    return {word: place for place, word in enumerate(words)}


def _draw(axes: Axes, results: Results, curve: Curve, places: dict[str, int], beside: float) -> None:
    title, arms = curve
    first = arms[0][0].name
    ink, sign = colour(results, first), mark(results, first)
    at = [places[str(arm.per_label or ALL)] + beside for arm, _ in arms]
    axes.plot(at, [fmean(_values(cells)) for _, cells in arms], "-", color=ink, linewidth=1.4)
    for x, (_, cells) in zip(at, arms, strict=True):
        for cell in cells:
            low, high = cell.ci or (None, None)
            if low is not None and high is not None:
                axes.plot([x, x], [low, high], color=ink, linewidth=1, alpha=0.5, solid_capstyle="butt")
        axes.plot([x] * len(cells), _values(cells), sign, color=ink, markersize=5, clip_on=False)
    axes.plot([], [], sign, color=ink, linestyle="-", markersize=5, label=title)


def _values(cells: Sequence[Cell]) -> list[float]:
    return [cell.value for cell in cells if cell.value is not None]


def _in_words(curves: Sequence[Curve]) -> str:
    return "; ".join(
        f"{title}: "
        + ", ".join(f"{numbers.value(fmean(_values(cells)))} with {arm.per_label or ALL}" for arm, cells in arms)
        for title, arms in curves
    )
