"""What the page says of snippets that an arm weighed, and where text may be shown some of them."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from preceptor.evidence import number
from preceptor.report import _numbers as numbers
from preceptor.report._looks import arm_label
from preceptor.report._predictions import predictions_file, read_cell
from preceptor.report._run import Run
from preceptor.report._small_counts import shown_count
from preceptor.study.results.cell_schema import Cell
from preceptor.study.results.schema import Results
from preceptor.study.results.snippet_schema import Figure, Hits, SnippetFigures

_MOST_CASES = 20
_LOW = 0.3
"""A rank correlation below it is called low, by convention."""


@dataclass(frozen=True)
class Line:
    """One snippet as printed. largest: whether its weight is that of none other of the case."""

    text: str = field(repr=False)
    weight: str
    drop: str
    largest: bool


@dataclass(frozen=True)
class SnippetView:
    """What is said of one arm and seed; cases: id, answer and snippets of some."""

    title: str
    sentences: list[str]
    cases: list[tuple[str, str, list[Line]]] = field(repr=False)


def snippet_views(run: Run, cells: Sequence[Cell], *, opened: bool) -> list[SnippetView]:
    """For each arm and seed that weighed snippets. opened: whether counts and cases may be shown as they are."""
    several = len(run.results.study.seeds) > 1
    return [
        SnippetView(
            _title(run.results, cell, several=several),
            sentences(cell.snippets, opened=opened),
            _cases(run, cell) if opened and not run.purged else [],
        )
        for cell in cells
        if cell.snippets
    ]


def sentences(found: SnippetFigures, *, opened: bool) -> list[str]:
    """What the figures say. opened: as of `snippet_views`."""
    count = numbers.count if opened else shown_count
    alone = f"; {count(found.alone)} with one are left out" if found.alone else ""
    said = [
        f"Of {count(found.cases)} held-out cases of two snippets and more{alone}: the arm's answer loses "
        f"{_figure(found.drop)} nats of log-probability more without the snippet of the largest weight than without "
        "one drawn by lot."
    ]
    low, _ = found.drop.ci
    if low is None or low <= 0:
        said.append("That the snippet of the largest weight matters more than another is not shown.")
    if found.hits:
        said.append(_hits(found.hits))
    if found.rank_correlation:
        said.append(f"Weights and drops agree in rank by {_figure(found.rank_correlation)} (Spearman's, within cases).")
        if found.rank_correlation.value < _LOW:
            said.append("That is low: the weights do not say what the answer rests on, and are not to be read so.")
    return said


def _hits(found: Hits) -> str:
    share, by_chance, held = (numbers.whole_percent(one) for one in (found.share.value, found.by_chance, found.held))
    return (
        f"The snippet of the largest weight holds the gold evidence in {share} {numbers.interval(found.share.ci)} of "
        f"the cases; one drawn by lot would in {by_chance}, and any of the case's does in {held}."
    )


def _figure(figure: Figure) -> str:
    return f"{number(figure.value, signed=True)} {numbers.interval(figure.ci)}".strip()


def _title(results: Results, cell: Cell, *, several: bool) -> str:
    return arm_label(results, cell.arm) + (f", seed {cell.seed}" if several else "")


def _cases(run: Run, cell: Cell) -> list[tuple[str, str, list[Line]]]:
    path = predictions_file(run.folder, cell)
    rows = read_cell(path, cell) if path else {}
    weighed = [(name, str(row["text"]), row["snippets"]) for name, row in rows.items() if row["snippets"]]
    return [(name, answer, _lines(snippets)) for name, answer, snippets in weighed[:_MOST_CASES]]


def _lines(snippets: Sequence[dict[str, object]]) -> list[Line]:
    weights = [float(str(one["weight"])) for one in snippets]
    return [
        Line(
            str(one["text"]),
            numbers.whole_percent(weight),
            numbers.NONE if one["drop"] is None else number(float(str(one["drop"])), signed=True),
            weights.count(max(weights)) == 1 and weight == max(weights),
        )
        for one, weight in zip(snippets, weights, strict=True)
    ]
