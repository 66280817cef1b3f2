"""How many answers of each arm hold an error that was put into the training data on purpose."""

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from preceptor.report import _numbers as numbers
from preceptor.report._looks import FAINT, STYLE, WIDTH, arm_label, bare, colour, mark
from preceptor.report._svg import to_svg
from preceptor.study.results.conclusion_schema import SpikeFinding, SpikeShare
from preceptor.study.results.schema import Results

_ROW, _TOP, _FOOTER = 0.27, 0.24, 0.42  # inches
_LETTER, _RIGHT = 0.068, 1.32  # inches for a letter of an arm's name, and for the numbers


def spike_figure(name: str, results: Results, found: SpikeFinding) -> str:
    """SVG: a row an arm with its share and 95% interval between 0 and 100%; dashed, the share in training."""
    rows = found.shares
    height = _TOP + _ROW * len(rows) + _FOOTER
    left = _LETTER * max((len(arm_label(results, one.arm)) for one in rows), default=0) + 0.2
    with rc_context(STYLE):
        figure = Figure(figsize=(WIDTH, height))
        axes = figure.add_axes((left / WIDTH, _FOOTER / height, 1 - (left + _RIGHT) / WIDTH, _ROW * len(rows) / height))
        bare(axes)
        axes.set_xlim(0, 1)
        axes.set_xticks([0, 0.5, 1], ["0%", "50%", "100%"], fontsize=8.5)
        axes.set_ylim(len(rows) - 0.4, -0.6)
        axes.set_yticks(range(len(rows)), [arm_label(results, one.arm) for one in rows], fontsize=8.5)
        axes.tick_params(axis="y", pad=8)  # a mark at 0 keeps clear of its name
        task = next(task for task in results.study.tasks if task.name == found.task)
        if task.spike is not None:
            _training(axes, task.spike.share)
        for row, one in enumerate(rows):
            ink = colour(results, one.arm)
            axes.plot([one.low, one.high], [row, row], color=ink, linewidth=1.8, solid_capstyle="butt")
            axes.plot([one.share], [row], mark(results, one.arm), color=ink, markersize=5.5, clip_on=False)
            axes.annotate(
                _value(one), (1, row), xytext=(_RIGHT * 72 - 2, 0), textcoords="offset points",
                ha="right", va="center", fontsize=8.5, annotation_clip=False,
            )  # fmt: skip
        axes.set_xlabel("held-out answers with the error, 95% interval", fontsize=8)
        said = "; ".join(f"{arm_label(results, one.arm)} {_value(one)}" for one in rows)
        return to_svg(figure, name, f"{task.title}: answers with the error, by arm", said)


def _training(axes: Axes, share: float) -> None:
    axes.axvline(share, color=FAINT, linewidth=1, linestyle=(0, (4, 3)))
    axes.annotate(
        f"in training: {numbers.whole_percent(share)}", (share, 1), xycoords=axes.get_xaxis_transform(),
        xytext=(0, 4), textcoords="offset points", ha="center", fontsize=8, color=FAINT, annotation_clip=False,
    )  # fmt: skip


def _value(one: SpikeShare) -> str:
    low, high = (numbers.whole_percent(end) for end in one.ci)
    return f"{numbers.whole_percent(one.share)} [{low}, {high}]"
