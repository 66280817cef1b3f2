"""The main paper's figures beside a run's, and whether DPO moved the same way there and here."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any, Literal

from benchmarks._markdown import NONE, table, value_or_dash
from benchmarks._published import PAPER, PAPER_ROWS, PaperRow
from preceptor.evidence import metric_title, p_text

Results = dict[str, Any]
Direction = Literal["gain", "loss", "none shown", "not given"]

NOTES = Path(__file__).with_name("replication_notes.md")
"""What the authors believe the reasons are: prose, for the study named `replication` alone."""


def paper_section(run: Results) -> list[str]:
    """The paper's figures next to ours, for the built-in tasks, which follow its six outputs."""
    lines = [
        "### Beside the paper",
        "",
        f"{PAPER}.",
        "",
        "**Data and models differ**: they tuned models of 7 and 8 billion parameters on cases of their own; ours is "
        f"{run['study']['model']['title']} on other cases, and most metrics are not theirs. A figure of theirs and one "
        "of ours cannot be compared. What can be looked at is whether DPO added to SFT, there and here. "
        "Theirs is DPO after SFT too; our p is adjusted by Holm's method.",
        "",
        *table(["output", "model", "metric", "base", "SFT", "SFT+DPO", "p, DPO vs SFT"], _figures(run)),
        "",
        "Did DPO after SFT move the metric? `gain` and `loss` need p < .05, theirs as published, ours adjusted.",
        "",
        *table(["output", "Llama3-8B", "Mistral-7B v2", "ours", "ours against equal-compute SFT"], _directions(run)),
    ]
    if run["study"]["name"] == "replication" and NOTES.exists():
        lines += ["", *NOTES.read_text(encoding="utf-8").strip().split("\n")]
    return lines


def published_direction(row: PaperRow) -> Direction:
    """Where DPO moved the paper's metric, by its own p."""
    if row.p == "not given":
        return "not given"
    if float(row.p.lstrip("<>")) >= 0.05:
        return "none shown"
    return "gain" if float(row.dpo.rstrip("%")) > float(row.sft.rstrip("%")) else "loss"


def our_direction(run: Results, task: str, b: str) -> Direction:
    """Where the arm with DPO moved the metric, by the contrast's verdict."""
    contrast = _contrast(run, task, b)
    if contrast is None:
        return "not given"
    verdicts: dict[str, Direction] = {"better": "gain", "worse": "loss"}
    return verdicts.get(contrast["verdict"], "none shown")


def _figures(run: Results) -> Iterator[list[str]]:
    study = run["study"]
    ours = "**ours**" if len(study["seeds"]) == 1 else f"**ours**, mean of {len(study['seeds'])} seeds"
    for task in study["tasks"]:
        if task["name"] not in PAPER_ROWS:
            continue
        for row in PAPER_ROWS[task["name"]]:
            yield [task["name"], f"{row.model} (paper)", row.metric, row.base, row.sft, row.dpo, row.p]
        values = [_mean(run, task["name"], arm) for arm in ("base", "sft", "sft+dpo")]
        contrast = _contrast(run, task["name"], "sft")
        p = p_text(contrast["p_adjusted"]).removeprefix("p ").removeprefix("= ") if contrast else NONE
        yield [task["name"], ours, metric_title(task["metric"]), *map(value_or_dash, values), p]


def _directions(run: Results) -> Iterator[list[str]]:
    for task in run["study"]["tasks"]:
        if rows := PAPER_ROWS.get(task["name"]):
            theirs = [published_direction(row) for row in rows] * (1 if len(rows) == 2 else 2)
            yield [task["name"], *theirs, *(_moved(run, task["name"], b) for b in ("sft", "sft+sft"))]


def _moved(run: Results, task: str, b: str) -> str:
    """Our direction, with the difference and its interval."""
    contrast = _contrast(run, task, b)
    if contrast is None or contrast["delta"] is None:
        return NONE
    low, high = contrast["ci"]
    interval = "" if low is None else f" [{low:+.2f}, {high:+.2f}]"
    return f"{our_direction(run, task, b)}: {contrast['delta']:+.2f}{interval}".replace("-0", "\N{MINUS SIGN}0")


def _mean(run: Results, task: str, arm: str) -> float | None:
    """The mean over seeds of the arm's value; None where it has none, or failed with one of them."""
    if any((one["task"], one["arm"]) == (task, arm) for one in run.get("failed", ())):
        return None
    values: Sequence[float | None] = [c["value"] for c in run["cells"] if (c["task"], c["arm"]) == (task, arm)]
    known = [value for value in values if value is not None]
    return fmean(known) if known and len(known) == len(values) else None


def _contrast(run: Results, task: str, b: str) -> Results | None:
    """SFT+DPO minus `b`; None where the study has no such contrast."""
    return next((c for c in run["contrasts"] if (c["task"], c["a"], c["b"]) == (task, "sft+dpo", b)), None)
