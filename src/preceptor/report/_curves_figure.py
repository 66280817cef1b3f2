"""How training went: loss, reward margin and reward accuracy by optimizer step."""

from collections.abc import Sequence

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from preceptor.report._looks import FAINT, GRID, LEGEND_ROW, STYLE, arm_label, bare, colour, legend, legend_rows
from preceptor.report._svg import to_svg
from preceptor.study import kind_title
from preceptor.study.results.cell_schema import Cell, Points
from preceptor.study.results.schema import Results
from preceptor.study.results.task_schema import TaskPart

_WIDE, _PANEL, _TITLE = 5.0, 1.4, 0.27  # inches; a panel without its title
_TITLES = {"loss": "loss", "rewards/margins": "reward margin", "rewards/accuracies": "pairs preferred rightly"}
_DASHED = {"eval_loss": "loss"}
"""A curve drawn dashed into another's panel: the loss on validation cases."""

Line = tuple[str, int, str, Points]
"""Arm, seed, what was logged, its points."""


def curves_figure(name: str, results: Results, task: TaskPart, cells: Sequence[Cell]) -> str | None:
    """SVG: a panel for each thing that was logged, a line for each arm and seed; None when nothing was trained.

    An arm that goes on from another repeats its curve; a curve is drawn once, for the first arm that has it.
    """
    panels = _panels(cells)
    if not panels:
        return None
    rows = -(-len(panels) // 2)
    titles = [arm_label(results, arm) for arm in dict.fromkeys(arm for lines in panels.values() for arm, *_ in lines)]
    above = LEGEND_ROW * legend_rows(titles, _WIDE) + _TITLE
    height = _PANEL * rows + above
    with rc_context(STYLE):
        figure = Figure(figsize=(_WIDE, height))
        grid = figure.subplots(rows, 2, squeeze=False)
        figure.subplots_adjust(
            left=0.08, right=0.98, top=1 - above / height, bottom=0.42 / height, hspace=0.75, wspace=0.2
        )
        flat = [axes for row in grid for axes in row]
        for axes in flat[len(panels) :]:
            axes.set_visible(False)
        arms: dict[str, None] = {}
        for axes, ((kind, what), lines) in zip(flat, panels.items(), strict=False):
            bare(axes)
            axes.grid(axis="y", color=GRID, linewidth=0.8)
            axes.set_title(f"{kind_title(kind)}: {_TITLES.get(what, what)}", loc="left", fontsize=9, color=FAINT)
            axes.set_xlabel("optimizer step", fontsize=8)
            axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
            for arm, _, logged, points in lines:
                label = None if arm in arms else arm_label(results, arm)
                _line(axes, colour(results, arm), logged, points, label)
                arms[arm] = None
        legend(figure, titles, _WIDE)
        return to_svg(figure, name, f"{task.title}: how training went", _in_words(results, panels))


def _panels(cells: Sequence[Cell]) -> dict[tuple[str, str], list[Line]]:
    """(stage kind, what was logged) -> lines; a curve that an earlier arm has stands once."""
    panels: dict[tuple[str, str], list[Line]] = {}
    seen: list[tuple[int, str, str, Points]] = []
    for cell in cells:
        for kind, logged in cell.curves.items():
            for what, points in logged.items():
                own = (cell.seed, kind, what, points)
                if points and own not in seen:
                    seen.append(own)
                    panels.setdefault((kind, _DASHED.get(what, what)), []).append((cell.arm, cell.seed, what, points))
    return panels


def _line(axes: Axes, ink: str, what: str, points: Points, label: str | None) -> None:
    steps, figures = zip(*points, strict=True)
    dashed = what in _DASHED
    axes.plot(
        steps, figures, color=ink, linewidth=1.3, label=label, linestyle=(0, (3, 2)) if dashed else "-",
        marker="o" if dashed or len(points) < 3 else None, markersize=3,
    )  # fmt: skip


def _in_words(results: Results, panels: dict[tuple[str, str], list[Line]]) -> str:
    return "; ".join(
        f"{arm_label(results, arm)}, seed {seed}, {kind} {what}: from {points[0][1]:.3g} to {points[-1][1]:.3g}"
        for (kind, _), lines in panels.items()
        for arm, seed, what, points in lines
    )
