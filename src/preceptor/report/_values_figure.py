"""How good every arm is on every task, with intervals; and how good for which training time."""

from collections.abc import Sequence
from textwrap import fill

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from preceptor.evidence import metric_title
from preceptor.report import _numbers as numbers
from preceptor.report._looks import (
    FAINT,
    INK,
    STYLE,
    WIDTH,
    arm_label,
    bare,
    colour,
    legend,
    mark,
    plot_of_values,
)
from preceptor.report._svg import to_svg
from preceptor.study.results.cell_schema import Cell
from preceptor.study.results.schema import Results
from preceptor.study.results.task_schema import TaskPart
from preceptor.study.run.failures import Failure

_ROW, _TITLE, _FOOTER = 0.2, 0.42, 0.42  # inches
_WIDE = 4.5
_RIGHT = 1.18  # inches for the numbers
_NARROW = 1.5  # inches of an axis on which six numbers would touch
_LONG = 54  # characters of a block's title that fit on a line
_LONG_NAME = 32  # and of an arm's, beside which the axis keeps some room


def values_figure(name: str, results: Results) -> str:
    """SVG: a block a task, a row an arm and seed, each value with its 95% interval between 0 and 1, or `failed`."""
    blocks = [(task, _rows(results, task)) for task in results.study.tasks]
    labels = [_row_name(results, cell, cells) for _, cells in blocks for cell in cells]
    row = _ROW * max((1 + label.count("\n") for label in labels), default=1)
    height = sum(_title_height(task) + row * (len(cells) + 0.35) for task, cells in blocks) + _FOOTER
    with rc_context(STYLE):
        figure = Figure(figsize=(_WIDE, height))
        lines = [line for label in labels for line in label.splitlines()]
        left = 0.068 * max(map(len, lines), default=0) + 0.2  # inches for the arms' names
        top = height
        for number, (task, cells) in enumerate(blocks):
            tall = row * (len(cells) + 0.35)
            top -= _title_height(task) + tall
            axes = figure.add_axes((left / _WIDE, top / height, 1 - (left + _RIGHT) / _WIDE, tall / height))
            _block(axes, results, task, cells, left, last=number == len(blocks) - 1)
        said = "; ".join(_in_words(results, task, cells) for task, cells in blocks)
        return to_svg(figure, name, "Every arm on every task with its 95% interval", said)


def _rows(results: Results, task: TaskPart) -> list[Cell | Failure]:
    """The task's arms and seeds in the order of the study, those that failed among them."""
    arms = results.study.arms
    rows: list[Cell | Failure] = [*results.of_task(task.name), *results.failed_of(task.name)]
    return sorted(rows, key=lambda row: (arms.index(row.arm), row.seed))


def price_figure(name: str, results: Results, task: TaskPart, cells: Sequence[Cell]) -> str:
    """SVG: a point a cell, its value with the 95% interval over the time its training took."""
    shown = [cell for cell in cells if cell.value is not None]
    arms = list(dict.fromkeys(cell.arm for cell in shown))
    titles = [arm_label(results, arm) for arm in arms]
    with rc_context(STYLE):
        figure, axes = plot_of_values(task, titles)
        unit, size = _unit(shown)
        for arm, title in zip(arms, titles, strict=True):
            own = [cell for cell in shown if cell.arm == arm]
            times = [(cell.cost.seconds or 0) / size for cell in own]
            for time, cell in zip(times, own, strict=True):
                _interval(axes, results, [time, time], cell)
            values = [cell.value or 0 for cell in own]
            ink = colour(results, arm)
            axes.plot(times, values, mark(results, arm), color=ink, markersize=6.5, clip_on=False, label=title)
        longest = max([(cell.cost.seconds or 0) / size for cell in shown], default=0) or 1
        axes.set_xlim(-0.04 * longest, 1.06 * longest)
        axes.set_xlabel(f"{unit} of training on this machine", fontsize=8.5)
        if shown:
            legend(figure, titles, WIDTH)
        return to_svg(figure, name, f"{task.title}: value against training time", _prices_in_words(results, shown))


def _block(
    axes: Axes, results: Results, task: TaskPart, cells: Sequence[Cell | Failure], left: float, *, last: bool
) -> None:
    bare(axes)
    axes.set_xlim(0, 1)
    ticks = (0, 0.5, 1) if _WIDE - left - _RIGHT < _NARROW else (0, 0.2, 0.4, 0.6, 0.8, 1)
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks] if last else [])
    axes.set_ylim(len(cells) - 0.35, -0.7)
    axes.set_yticks(range(len(cells)), [_row_name(results, cell, cells) for cell in cells], fontsize=8.5)
    axes.tick_params(axis="y", pad=8)  # a mark at 0 keeps clear of its name
    if task.majority is not None:
        axes.axvline(task.majority, color=FAINT, linewidth=1, linestyle=(0, (4, 3)))
    for row, cell in enumerate(cells):
        if isinstance(cell, Cell):
            _interval(axes, results, None, cell, row)
            if cell.value is not None:
                ink, sign = colour(results, cell.arm), mark(results, cell.arm)
                axes.plot([cell.value], [row], sign, color=ink, markersize=5.5, clip_on=False)
        axes.annotate(
            _value(cell), (1, row), xytext=(_RIGHT * 72 - 2, 0), textcoords="offset points",
            ha="right", va="center", fontsize=8.5, annotation_clip=False,
        )  # fmt: skip
    axes.annotate(
        _block_title(task), (0, 1), xycoords="axes fraction", xytext=(-left * 72 + 2, 4),
        textcoords="offset points", va="bottom", fontsize=9, fontweight="bold", color=INK,
    )  # fmt: skip
    if last:
        axes.set_xlabel("value on held-out cases, 95% interval", fontsize=8.5)


def _block_title(task: TaskPart) -> str:
    """The task and its metric, which stands below where both do not fit on a line."""
    metric = f"({metric_title(task.metric)})"
    between = "\n" if len(task.title) + len(metric) + 1 > _LONG else " "
    return f"{task.title}{between}{metric}"


def _title_height(task: TaskPart) -> float:
    return _TITLE + (_ROW if "\n" in _block_title(task) else 0)


def _interval(axes: Axes, results: Results, x: list[float] | None, cell: Cell, row: int = 0) -> None:
    """The 95% interval of a cell: upright at `x`, or lying in its row."""
    low, high = cell.ci or (None, None)
    if low is not None and high is not None:
        xs, ys = (x, [low, high]) if x is not None else ([low, high], [row, row])
        axes.plot(xs, ys, color=colour(results, cell.arm), linewidth=1.8, solid_capstyle="butt")


def _value(row: Cell | Failure) -> str:
    return "failed" if isinstance(row, Failure) else f"{numbers.value(row.value)} {numbers.interval(row.ci)}"


def _row_label(results: Results, cell: Cell | Failure, cells: Sequence[Cell | Failure]) -> str:
    several = sum(other.arm == cell.arm for other in cells) > 1
    return arm_label(results, cell.arm) + (f", {cell.seed}" if several else "")


def _row_name(results: Results, cell: Cell | Failure, cells: Sequence[Cell | Failure]) -> str:
    """Its label in lines."""
    return fill(_row_label(results, cell, cells), _LONG_NAME)


def _unit(cells: Sequence[Cell]) -> tuple[str, float]:
    """Hours, minutes or seconds, whichever the longest training reads best in."""
    longest = max([cell.cost.seconds or 0 for cell in cells], default=0)
    return next(
        ((unit, size) for unit, size in (("hours", 3600), ("minutes", 60)) if longest >= 1.5 * size), ("seconds", 1)
    )


def _in_words(results: Results, task: TaskPart, cells: Sequence[Cell | Failure]) -> str:
    said = [f"{_row_label(results, c, cells)} {_value(c)}" for c in cells]
    majority = [] if task.majority is None else [f"majority answer {numbers.value(task.majority)}"]
    return f"{task.title}: {', '.join(said + majority)}"


def _prices_in_words(results: Results, cells: Sequence[Cell]) -> str:
    return "; ".join(
        f"{_row_label(results, c, cells)} {numbers.value(c.value)} after {numbers.duration(c.cost.seconds)}"
        for c in cells
    )
