"""The figures of one task: its arms with intervals, and what each arm cost."""

from collections.abc import Callable
from typing import Any

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from preceptor.evidence import metric_title
from preceptor.report import _numbers as numbers
from preceptor.report._read import Cell, TaskResults
from preceptor.report._svg import to_svg

# Okabe and Ito's palette, told apart by colour-blind eyes too; the marks differ as well.
_LOOKS = {"base": ("#6b7280", "o"), "sft": ("#0072b2", "s"), "sft+dpo": ("#d55e00", "D"), "sft+sft": ("#009e73", "^")}
_OTHER_LOOKS = [("#cc79a7", "v"), ("#8a6d00", "P"), ("#56b4e9", "X")]
_INK, _FAINT, _GRID = "#1f2933", "#52606d", "#e4e7eb"
_WIDTH = 4.2  # inches; the page scales it to its column
_STYLE: Any = {  # matplotlib types these names one by one
    "svg.fonttype": "none",
    "svg.hashsalt": "preceptor",
    "text.parse_math": False,  # a name with a dollar sign is a name
    "font.size": 9,
    "text.color": _INK,
    "axes.edgecolor": _GRID,
    "axes.labelcolor": _FAINT,
    "xtick.color": _FAINT,
    "ytick.color": _INK,
}
Words = Callable[[float | None], str]
_COSTS: list[tuple[str, str, Words]] = [
    ("seconds", "Time", numbers.duration),
    ("tokens_computed", "Tokens", numbers.compact),
    ("flops", "FLOPs", numbers.compact),
]


def arm_label(arm: str) -> str:
    """An arm's name in tables and figures: `base` -> `Base`, `sft+dpo` -> `SFT+DPO`."""
    return {"base": "Base", "majority": "majority class"}.get(arm, arm.upper())


def arms_figure(name: str, task: TaskResults, arms: list[str]) -> str:
    """SVG: each arm's value (a row a seed) with its 95% interval, and the majority class where it is known."""
    with rc_context(_STYLE):
        labels = [_row_label(cell, task) for cell in task.cells]
        figure, axes = _blank(labels)
        if task.majority is not None:
            _mark_majority(axes, task.majority)
        for row, cell in enumerate(task.cells):
            if cell.value is not None:
                _mark_cell(axes, row, cell.value, cell, arms)
        axes.set_yticks(range(len(labels)), labels)
        axes.set_xlim(0, 1)
        axes.set_xticks([0, 0.2, 0.4, 0.6, 0.8, 1])
        axes.grid(axis="x", color=_GRID, linewidth=0.8)
        axes.set_xlabel(f"{metric_title(task.metric)} on held-out cases, 95% interval")
        title = f"{task.title}: {metric_title(task.metric)} of each arm"
        return to_svg(figure, name, title, _arms_in_words(task))


def costs_figure(name: str, task: TaskResults, arms: list[str]) -> str:
    """SVG: what each arm cost up to its end (a row a seed), in time, tokens computed and FLOPs."""
    labels = [_row_label(cell, task) for cell in task.cells]
    height = 0.34 * len(labels) + 0.5
    with rc_context(_STYLE):
        figure = Figure(figsize=(_WIDTH, height))
        panels = figure.subplots(1, len(_COSTS), sharey=True, gridspec_kw={"wspace": 0.08})
        figure.subplots_adjust(left=_left(labels), right=0.995, top=1 - 0.34 / height, bottom=0.06 / height)
        for axes, (key, title, words) in zip(panels, _COSTS, strict=True):
            _bars(axes, task.cells, key, words, arms)
            axes.set_title(title, loc="left", fontsize=9, color=_FAINT)
        panels[0].set_yticks(range(len(labels)), labels)
        return to_svg(figure, name, f"{task.title}: cost of each arm", _costs_in_words(task))


def _look(arm: str, arms: list[str]) -> tuple[str, str]:
    """Colour and mark: an arm keeps its own in every figure of the page."""
    others = [name for name in arms if name not in _LOOKS]
    return _LOOKS[arm] if arm in _LOOKS else _OTHER_LOOKS[others.index(arm) % len(_OTHER_LOOKS)]


def _left(labels: list[str]) -> float:
    """Share of the width that the longest row label takes, at about 0.075 inches a letter."""
    return (0.075 * max(map(len, labels)) + 0.25) / _WIDTH


def _blank(labels: list[str]) -> tuple[Figure, Axes]:
    header, footer = 0.28, 0.42  # inches for the majority's name and for the axis
    height = 0.36 * len(labels) + header + footer
    figure = Figure(figsize=(_WIDTH, height))
    axes = figure.subplots()
    figure.subplots_adjust(left=_left(labels), right=0.96, top=1 - header / height, bottom=footer / height)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.tick_params(length=0)
    axes.tick_params(axis="y", pad=9)  # a mark at 0 keeps clear of its name
    axes.set_ylim(len(labels) - 0.4, -0.75)
    axes.set_axisbelow(True)
    return figure, axes


def _mark_majority(axes: Axes, majority: float) -> None:
    axes.axvline(majority, color=_FAINT, linewidth=1, linestyle=(0, (4, 3)))
    side = "left" if majority < 0.5 else "right"
    words = f"majority class {numbers.value(majority)}"
    axes.annotate(
        words, (majority, 1), xycoords=("data", "axes fraction"), xytext=(0, 4), textcoords="offset points",
        ha=side, fontsize=8, color=_FAINT,
    )  # fmt: skip


def _mark_cell(axes: Axes, row: int, value: float, cell: Cell, arms: list[str]) -> None:
    colour, mark = _look(cell.arm, arms)
    low, high = cell.ci
    if low is not None and high is not None:
        axes.plot([low, high], [row, row], color=colour, linewidth=2, solid_capstyle="butt")
    axes.plot([value], [row], mark, color=colour, markersize=6, clip_on=False)
    axes.annotate(
        numbers.value(value), (value, row), xytext=(0, 5.5), textcoords="offset points",
        ha="center", fontsize=8.5, color=colour, fontweight="bold",
    )  # fmt: skip


def _row_label(cell: Cell, task: TaskResults) -> str:
    several = len(task.of_arm(cell.arm)) > 1
    return f"{arm_label(cell.arm)}, seed {cell.seed}" if several else arm_label(cell.arm)


def _bars(axes: Axes, cells: list[Cell], key: str, words: Words, arms: list[str]) -> None:
    widths = [cell.cost.get(key) or 0 for cell in cells]
    axes.barh(range(len(cells)), widths, height=0.56, color=[_look(cell.arm, arms)[0] for cell in cells])
    for row, (width, cell) in enumerate(zip(widths, cells, strict=True)):
        text = words(cell.cost.get(key))
        axes.annotate(text, (width, row), xytext=(4, 0), textcoords="offset points", va="center", fontsize=8.5)
    axes.set_xlim(0, 2.3 * max([*widths, 1e-9]))
    axes.set_ylim(len(cells) - 0.5, -0.5)
    axes.set_xticks([])
    axes.tick_params(length=0)
    for side in ("top", "right", "bottom"):
        axes.spines[side].set_visible(False)


def _arms_in_words(task: TaskResults) -> str:
    arms = [f"{_row_label(cell, task)} {numbers.value(cell.value)} {numbers.interval(cell.ci)}" for cell in task.cells]
    majority = [] if task.majority is None else [f"majority class {numbers.value(task.majority)}"]
    return "; ".join(arms + majority)


def _costs_in_words(task: TaskResults) -> str:
    return "; ".join(
        f"{_row_label(cell, task)}: "
        + ", ".join(f"{title} {words(cell.cost.get(key))}" for key, title, words in _COSTS)
        for cell in task.cells
    )
