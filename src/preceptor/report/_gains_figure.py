"""How much one arm gains over others, with intervals, against the margin."""

from collections.abc import Sequence

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator

from preceptor.evidence import lower_is_better, metric_title
from preceptor.report import _numbers as numbers
from preceptor.report._looks import BAND, FAINT, INK, STYLE, VERDICT_COLOURS, WIDTH, bare, pair_label
from preceptor.report._svg import to_svg
from preceptor.study.results.contrast_schema import Contrast
from preceptor.study.results.schema import Results
from preceptor.study.results.task_schema import TaskPart

_ROW, _HEADER, _FOOTER = 0.48, 0.04, 0.48  # inches
_LINE = 0.16  # inches for a line of words
_TICKS = 6  # of numbers as long as -0.025
_SHORT = 36  # characters of two arms' names that leave room for the numbers beside them


def gains_figure(name: str, results: Results, task: TaskPart, contrasts: Sequence[Contrast]) -> str:
    """SVG: a row a contrast with its 95% interval (thin) and 90% interval (thick), 0, and the margin as a band.

    Primary contrasts have filled marks. With several seeds each one's difference is a small stroke.
    """
    lines = 1 + any(len(pair_label(results, contrast)) > _SHORT for contrast in contrasts)
    height = (_ROW + _LINE * (lines - 1)) * len(contrasts) + _HEADER + _FOOTER
    with rc_context(STYLE):
        figure = Figure(figsize=(WIDTH, height))
        axes = figure.subplots()
        figure.subplots_adjust(left=0.02, right=0.98, top=1 - _HEADER / height, bottom=_FOOTER / height)
        bare(axes)
        axes.grid(visible=False)
        axes.set_yticks([])
        axes.set_ylim(len(contrasts) - 0.3, -0.75)
        low, high = _limits(task, contrasts)
        axes.set_xlim(low, high)
        axes.xaxis.set_major_locator(MaxNLocator(_TICKS))
        edge = 0.05 * (high - low)  # a number nearer to the edge would be cut off
        axes.set_xticks([tick for tick in axes.get_xticks() if low + edge <= tick <= high - edge])
        for row, contrast in enumerate(contrasts):
            _ground(axes, row, task.margin)
            _mark(axes, results, row, contrast, lines)
        side = "left" if lower_is_better(task.metric) else "right"
        words = f"difference in {metric_title(task.metric)} ({side} of 0: the first arm is better)"
        axes.set_xlabel(words, fontsize=8)
        return to_svg(figure, name, f"{task.title}: differences between arms", _in_words(results, task, contrasts))


def _ground(axes: Axes, row: int, margin: float | None) -> None:
    """0 and the margin, behind the row's interval only: its words stay clear."""
    if margin is not None:
        axes.add_patch(Rectangle((-margin, row - 0.18), 2 * margin, 0.36, color=BAND, zorder=0, linewidth=0))
    axes.plot([0, 0], [row - 0.18, row + 0.18], color=INK, linewidth=1, zorder=1)


def _mark(axes: Axes, results: Results, row: int, contrast: Contrast, lines: int) -> None:
    ink = VERDICT_COLOURS[contrast.verdict]
    for ci, width in ((contrast.ci, 1.4), (contrast.ci_90, 3.4)):
        low, high = ci or (None, None)
        if low is not None and high is not None:
            axes.plot([low, high], [row, row], color=ink, linewidth=width, solid_capstyle="butt")
    if len(contrast.seeds) > 1:
        deltas = [seed.delta for seed in contrast.seeds]
        axes.plot(deltas, [row + 0.2] * len(deltas), "|", color=ink, markersize=5)
    face = ink if contrast.family == "primary" else "white"
    axes.plot([contrast.delta], [row], "o", color=ink, markerfacecolor=face, markersize=6.5, markeredgewidth=1.5)
    weight = "bold" if contrast.family == "primary" else "normal"
    words = f"{numbers.gain(contrast.delta)} {numbers.interval(contrast.ci)}"
    _text(axes, row, 0, pair_label(results, contrast), "left", weight, line=lines)
    _text(axes, row, 1, words, "right", weight)


def _text(axes: Axes, row: int, x: float, words: str, side: str, weight: str, line: int = 1) -> None:
    """Words above a row, at the left or the right edge; `line`: which one above it."""
    above = 9 + (line - 1) * _LINE * 72
    axes.annotate(
        words, (x, row), xycoords=axes.get_yaxis_transform(), xytext=(0, above), textcoords="offset points",
        ha=side, fontsize=8.5, fontweight=weight, color=INK if weight == "bold" else FAINT,
    )  # fmt: skip


def _limits(task: TaskPart, contrasts: Sequence[Contrast]) -> tuple[float, float]:
    """All intervals, 0 and the margin, with some room."""
    ends = [0.0, task.margin or 0.02, -(task.margin or 0.02)]
    for contrast in contrasts:
        ends += [contrast.delta, *(seed.delta for seed in contrast.seeds)]
        ends += [end for end in contrast.ci or () if end is not None]
    low, high = min(ends), max(ends)
    room = 0.06 * (high - low)
    return low - room, high + room


def _in_words(results: Results, task: TaskPart, contrasts: Sequence[Contrast]) -> str:
    said = [
        f"{pair_label(results, c)} {numbers.gain(c.delta)} {numbers.interval(c.ci)}, {c.verdict}" for c in contrasts
    ]
    margin = [] if task.margin is None else [f"margin {numbers.value(task.margin)}"]
    return "; ".join(said + margin)
