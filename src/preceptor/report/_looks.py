"""What every figure shares: each arm's name, colour and mark, and the style of the drawing."""

from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes

from preceptor.preferences import maker_names
from preceptor.study.results.schema import Cell, Contrast, NotCompared

# Okabe and Ito's colours, some darkened to 3:1 on white; marks differ too, for eyes that see no colours.
_LOOKS = {
    "base": ("#6b7280", "o"),
    "base+shots": ("#1f2933", "P"),
    "sft": ("#0072b2", "s"),
    "sft+dpo": ("#d55e00", "D"),
    "sft+sft": ("#007a5a", "^"),
    "tfidf": ("#a0428a", "v"),
    "endpoint": ("#8a6d00", "X"),
}
# DPO on the pairs of a further maker, in the order of `maker_names`; more makers begin again.
_MAKER_COLOURS = ("#b0305c", "#4f4fc4", "#00727a", "#5f6b00", "#7a5195", "#8c4a00")
_MAKER_MARKS = (">", "d", "*", "p", "<", "H")
_UNKNOWN = ("#3b3b98", "h")
_LABELS = {
    "base": "Base",
    "base+shots": "Base + examples",
    "tfidf": "TF-IDF",
    "endpoint": "Served model",
    "majority": "Majority answer",
}

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


def arm_label(arm: str) -> str:
    """An arm's name in tables and figures: `base` -> `Base`, `sft+dpo@a_maker` -> `SFT+DPO (a maker)`."""
    stages, _, maker = arm.partition("@")
    label = _LABELS.get(stages, stages.upper())
    return f"{label} ({maker.replace('_', ' ')})" if maker else label


def pair_label(contrast: Contrast | NotCompared) -> str:
    """How a contrast is called: the first arm minus the second."""
    return f"{arm_label(contrast.a)} \N{MINUS SIGN} {arm_label(contrast.b)}"


def colour(arm: str) -> str:
    """The arm's colour in every figure."""
    return _look(arm)[0]


def mark(arm: str) -> str:
    """The arm's mark in every figure."""
    return _look(arm)[1]


def _look(arm: str) -> tuple[str, str]:
    maker = arm.partition("@")[2]
    if maker in (known := maker_names()):
        index = known.index(maker) % len(_MAKER_MARKS)
        return _MAKER_COLOURS[index], _MAKER_MARKS[index]
    return _LOOKS.get(arm, _UNKNOWN)


def arms_of(cells: Sequence[Cell]) -> list[str]:
    """The arms of these cells, in their order."""
    return list(dict.fromkeys(cell.arm for cell in cells))


def bare(axes: Axes) -> None:
    """Take away what carries no number: frame and tick marks; leave a light grid on x."""
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.tick_params(length=0)
    axes.set_axisbelow(True)
    axes.grid(axis="x", color=GRID, linewidth=0.8)
