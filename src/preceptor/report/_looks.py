"""What every figure shares: each arm's name, colour and mark, and the style of the drawing."""

from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from preceptor.evidence import metric_title
from preceptor.study.results.contrast_schema import Contrast, NotCompared
from preceptor.study.results.schema import Results
from preceptor.study.results.task_schema import TaskPart
from preceptor.study.spec.arms import MAJORITY

# Okabe and Ito's colours, some darkened to 3:1 on white; marks differ too, for eyes that see no colours.
_LOOKS = (
    ("#6b7280", "o"), ("#1f2933", "P"), ("#0072b2", "s"), ("#d55e00", "D"), ("#007a5a", "^"), ("#a0428a", "v"),
    ("#8a6d00", "X"), ("#7a5195", "<"), ("#b0305c", ">"), ("#5f6b00", "p"), ("#00727a", "*"), ("#4f4fc4", "d"),
    ("#8c4a00", "H"), ("#3b3b98", "h"),
)  # fmt: skip

VERDICT_COLOURS = {"better": "#04537f", "worse": "#963c00", "equivalent": "#00614a", "inconclusive": "#52606d"}
VERDICT_MARKS = {"better": "▲", "worse": "▼", "equivalent": "=", "inconclusive": "?"}

INK, FAINT, GRID, BAND = "#1f2933", "#52606d", "#dfe4ea", "#eceff3"
WIDTH = 4.2  # inches; the page scales a figure to its column
STYLE: Any = {  # matplotlib types these names one by one
    "svg.fonttype": "none",
    "svg.hashsalt": "preceptor",
    "text.parse_math": False,  # a name with a dollar sign is a name
    "font.size": 9,
    "text.color": INK,
    "axes.edgecolor": GRID,
    "axes.labelcolor": FAINT,
    "xtick.color": FAINT,
    "ytick.color": INK,
}


def arm_label(results: Results, arm: str) -> str:
    """An arm's name in tables and figures."""
    return "Majority answer" if arm == MAJORITY else results.arm(arm).title


def pair_label(results: Results, contrast: Contrast | NotCompared) -> str:
    """How a contrast is called: the first arm minus the second."""
    return f"{arm_label(results, contrast.a)} \N{MINUS SIGN} {arm_label(results, contrast.b)}"


def colour(results: Results, arm: str) -> str:
    """The arm's colour in every figure, by its place in the study."""
    return _look(results, arm)[0]


def mark(results: Results, arm: str) -> str:
    """The arm's mark in every figure, by its place in the study."""
    return _look(results, arm)[1]


def _look(results: Results, arm: str) -> tuple[str, str]:
    return _LOOKS[results.study.arms.index(arm) % len(_LOOKS)]


LEGEND_ROW = 0.18  # inches
_LEGEND_FONT, _HANDLE, _LETTER = 8.0, 0.36, 0.062  # points; inches of a mark with its gaps, and of a letter


def legend_rows(titles: Sequence[str], width: float) -> int:
    """How many rows a legend of so many inches has."""
    return -(-len(titles) // _legend_columns(titles, width)) if titles else 0


def legend(figure: Figure, titles: Sequence[str], width: float) -> None:
    """The names of what has a label, at the top of a figure of `width` inches, in columns in which all can be read."""
    figure.legend(
        loc="upper left", ncols=_legend_columns(titles, width), frameon=False, fontsize=_LEGEND_FONT,
        handlelength=1.4, handletextpad=0.3, columnspacing=1, labelspacing=0.3, bbox_to_anchor=(0, 1),
    )  # fmt: skip


def _legend_columns(titles: Sequence[str], width: float) -> int:
    longest = max(map(len, titles), default=0)
    return max(1, min(len(titles), int(width / (_HANDLE + _LETTER * longest))))


def bare(axes: Axes) -> None:
    """Take away what carries no number: frame and tick marks; leave a light grid on x."""
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.tick_params(length=0)
    axes.set_axisbelow(True)
    axes.grid(axis="x", color=GRID, linewidth=0.8)


_PLOT, _METRIC, _AXIS = 2.4, 0.3, 0.46  # inches: a plot of values with its axis, the metric above it, the axis


def plot_of_values(task: TaskPart, titles: Sequence[str]) -> tuple[Figure, Axes]:
    """A plot of values of the task's metric from 0 to 1, upwards, with room above it for a legend of `titles`."""
    above = LEGEND_ROW * legend_rows(titles, WIDTH) + _METRIC
    height = _PLOT + above
    figure = Figure(figsize=(WIDTH, height))
    axes = figure.subplots()
    figure.subplots_adjust(left=0.11, right=0.97, top=1 - above / height, bottom=_AXIS / height)
    bare(axes)
    axes.grid(axis="y", color=GRID, linewidth=0.8)
    axes.set_ylim(0, 1)
    axes.set_title(metric_title(task.metric), loc="left", fontsize=8.5, color=FAINT, pad=4)
    return figure, axes
