"""What the page shows of each task, worked out before the template is filled in."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from preceptor.evidence import metric_title
from preceptor.report import _numbers as numbers
from preceptor.report._cases import Group, find_examples, side_by_side
from preceptor.report._curves_figure import curves_figure
from preceptor.report._few_figure import few_figure
from preceptor.report._gains_figure import gains_figure
from preceptor.report._looks import arm_label
from preceptor.report._run import Finding, Run, TaskPreflight
from preceptor.report._small_counts import shown_count, shown_labels, shown_matrix, shown_pairs
from preceptor.report._snippets import SnippetView, snippet_views
from preceptor.report._subgroups import Gap, GroupRow, gaps, group_rows
from preceptor.report._template import drawing
from preceptor.report._values_figure import price_figure
from preceptor.study.results.cell_schema import Cell
from preceptor.study.results.conclusion_schema import Conclusion
from preceptor.study.results.contrast_schema import Contrast, NotCompared
from preceptor.study.results.schema import Results
from preceptor.study.results.task_schema import TaskPart
from preceptor.study.run.failures import Failure
from preceptor.study.spec.arms import MAJORITY

_SHADES = 9
_LENGTHS = ("shortest", "median", "p95", "longest", "cases_cut")


@dataclass(frozen=True)
class Matrix:
    """One confusion matrix as printed; each entry is its text and its CSS class."""

    title: str
    labels: list[str]
    rows: list[list[tuple[str, str]]]


@dataclass(frozen=True)
class PairedTable:
    """One contrast case by case; `counts` as printed, None for text; `groups` are empty where cases are not shown."""

    contrast: Contrast
    seed: int
    counts: dict[str, str] | None
    groups: list[Group]


@dataclass(frozen=True)
class TaskView:
    """One task as the page shows it. `opened`: its counts and cases may be shown as they are."""

    place: int
    task: TaskPart
    question: str
    cells: list[Cell]
    failed: list[Failure]
    contrasts: list[Contrast]
    not_compared: list[NotCompared]
    conclusions: list[Conclusion]
    also: dict[str, str]
    """Metric beside the main one -> how it is called."""
    training: str
    gains: Markup | None
    price: Markup
    curves: Markup | None
    few: Markup | None
    matrices: list[Matrix]
    more_matrices: list[Matrix]
    """Those of the seeds after the first."""
    paired: list[PairedTable]
    snippets: list[SnippetView]
    subgroups: list[GroupRow]
    gaps: list[Gap]
    opened: bool
    found: bool
    """Whether the cases were found again."""

    @property
    def without_cell(self) -> list[str]:
        """The arms that failed with every seed."""
        answered = {cell.arm for cell in self.cells}
        return list(dict.fromkeys(one.arm for one in self.failed if one.arm not in answered))

    @property
    def descriptive(self) -> list[str]:
        """Why contrasts of this task are only described."""
        return list(dict.fromkeys(contrast.descriptive for contrast in self.contrasts if contrast.descriptive))

    def counts(self, contrast: Contrast) -> dict[str, str]:
        """The contrast's paired table as it may be printed; dashes where it has none."""
        return _counts(contrast, self.opened) or {"only_a": numbers.NONE, "only_b": numbers.NONE}

    @property
    def scored(self) -> bool:
        """Whether an arm answered by label scores."""
        return any(cell.label_scoring for cell in self.cells)

    def scoring(self, cell: Cell) -> list[str]:
        """How the cell's label scores became answers, and the form of its free text; nothing for written answers."""
        found = cell.label_scoring
        if found is None:
            return self._of_sets(cell)
        lines = [f"tau {found.tau:g}, probabilities at tau {found.probabilities_tau:g}"]
        if found.without_marker:
            lines.append(f"no marker before the label, put there: {self.shown(found.without_marker)}")
        if found.form:
            readable, same = (numbers.whole_percent(one) for one in (found.form.readable, found.form.agreement))
            lines.append(f"form: {readable} of free text readable, {same} as scored")
        return lines

    def _of_sets(self, cell: Cell) -> list[str]:
        """Of answers of several labels: the threshold, and labels that the task does not have."""
        lines = [] if cell.threshold is None else [f"labels from a score of {cell.threshold:g}"]
        if cell.unknown_labels:
            lines.append(f"labels that the task does not have: {self.shown(cell.unknown_labels)}")
        return lines

    def shown(self, n: int) -> str:
        """A count as it may be printed."""
        return numbers.count(n) if self.opened else shown_count(n)


@dataclass(frozen=True)
class Flow:
    """The way of one task's cases; `rows` are words and one entry a split."""

    task: TaskPart
    preflight: TaskPreflight
    analysed: int
    rows: list[tuple[str, list[str]]]
    findings: list[tuple[str, str]]
    """Level, and what was found."""


def view(run: Run, place: int, *, with_text: bool) -> TaskView:
    """Everything the page shows of the task at `place`."""
    results = run.results
    task = results.study.tasks[place]
    cells, contrasts = results.of_task(task.name), results.contrasts_of(task.name)
    opened, first = with_text or task.synthetic, results.study.seeds[0]
    headline = _headline(contrasts)
    curves = curves_figure(f"curves-{place}", results, task, cells)
    few = few_figure(f"few-{place}", results, task)
    answered = opened and not run.purged
    examples = find_examples(run, task) if answered and contrasts else {}
    asked = run.tasks.get(task.name)
    return TaskView(
        place=place,
        task=task,
        question=asked.question if asked else "",
        cells=cells,
        failed=results.failed_of(task.name),
        contrasts=contrasts,
        not_compared=results.not_compared_of(task.name),
        conclusions=results.conclusions_of(task.name),
        also={
            extra.metric: metric_title(extra.metric) + (f" for {', '.join(extra.labels)}" if extra.labels else "")
            for extra in task.also
        },
        training=f"Training took: {times}." if (times := training_times(results, cells)) else "",
        gains=drawing(gains_figure(f"gains-{place}", results, task, headline)) if headline else None,
        price=drawing(price_figure(f"price-{place}", results, task, cells)),
        curves=drawing(curves) if curves else None,
        few=drawing(few) if few else None,
        matrices=[_matrix(cell, results, opened) for cell in cells if cell.confusion and cell.seed == first],
        more_matrices=[_matrix(cell, results, opened) for cell in cells if cell.confusion and cell.seed != first],
        paired=[
            PairedTable(
                contrast,
                contrast.seeds[0].seed if contrast.seeds else first,
                _counts(contrast, opened),
                side_by_side(run, task, contrast, examples) if answered else [],
            )
            for contrast in _opened_contrasts(contrasts)
            if opened or contrast.counts
        ],
        snippets=snippet_views(run, cells, opened=opened),
        subgroups=group_rows(task, opened=opened),
        gaps=gaps(results, task),
        opened=opened,
        found=bool(examples),
    )


def flows(run: Run, *, with_text: bool) -> list[Flow]:
    """The way of every task's cases from file to analysis; empty without a preflight."""
    return [
        _flow(run.results, task, run.preflight[task.name], opened=with_text or task.synthetic)
        for task in run.results.study.tasks
        if task.name in run.preflight
    ]


def training_times(results: Results, cells: Sequence[Cell]) -> str:
    """`SFT 71 s, SFT+DPO 95 s`: how long the training of each arm took over these cells; empty without training."""
    arms = {arm: sum(cell.cost.seconds or 0 for cell in cells if cell.arm == arm) for arm in results.study.arms}
    return ", ".join(f"{arm_label(results, arm)} {numbers.duration(time)}" for arm, time in arms.items() if time)


def _headline(contrasts: Sequence[Contrast]) -> list[Contrast]:
    """The contrasts of the first screen: the primary ones, and the same arm against every other."""
    if not contrasts:
        return []
    return [contrast for contrast in contrasts if contrast.family == "primary" or contrast.a == contrasts[0].a]


def _opened_contrasts(contrasts: Sequence[Contrast]) -> list[Contrast]:
    """The contrasts shown case by case: the primary ones, else the first between two arms."""
    primary = [contrast for contrast in contrasts if contrast.family == "primary"]
    return primary or [contrast for contrast in contrasts if contrast.b != MAJORITY][:1]


def _matrix(cell: Cell, results: Results, opened: bool) -> Matrix:
    assert cell.confusion is not None
    counts = cell.confusion.matrix
    shown = [[numbers.count(n) for n in row] for row in counts] if opened else shown_matrix(cell.confusion)
    rows = [
        [
            (text, _look(counts[row], column, row, exact=text == numbers.count(counts[row][column])))
            for column, text in enumerate(texts)
        ]
        for row, texts in enumerate(shown)
    ]
    seed = f", seed {cell.seed}" if len(results.study.seeds) > 1 else ""
    return Matrix(arm_label(results, cell.arm) + seed, cell.confusion.labels, rows)


def _look(counts: Sequence[int], column: int, row: int, *, exact: bool) -> str:
    """CSS class: s0 to s8 by the entry's share of its row, none for what is not shown; `hit` on the diagonal."""
    total = sum(counts)
    shade = f"s{round((_SHADES - 1) * counts[column] / total)}" if exact and total else "s0"
    return f"{shade} hit" if column == row else shade


def _counts(contrast: Contrast, opened: bool) -> dict[str, str] | None:
    if contrast.counts is None:
        return None
    if not opened:
        return shown_pairs(contrast.counts)
    return {name: numbers.count(n) for name, n in contrast.counts}


def _flow(results: Results, task: TaskPart, told: TaskPreflight, *, opened: bool) -> Flow:
    cells = results.of_task(task.name)
    return Flow(
        task=task,
        preflight=told,
        analysed=cells[0].n if cells else 0,
        rows=_split_rows(told, numbers.count if opened else None),
        findings=[(finding.level, _told(finding, opened=opened)) for finding in told.findings],
    )


def _told(finding: Finding, *, opened: bool) -> str:
    """A finding as printed: how many cases it is about, and never which."""
    if not finding.code and not opened:
        return "an earlier version found something here and named cases: run `preceptor study` again to see it."
    many = numbers.count(finding.cases) if opened else shown_count(finding.cases)
    some = f" ({many})" if finding.cases and finding.code not in _COUNTED else ""
    return f"{finding.where}{some}: {finding.what}."


_COUNTED = ("cut", "near_duplicate")
"""Findings whose sentence says how many cases of how many."""


def _split_rows(told: TaskPreflight, exact: Callable[[float | None], str] | None) -> list[tuple[str, list[str]]]:
    """Cases, patients, labels and lengths of each split; labels of few cases are not shown unless `exact` says how."""
    splits = told.counts
    rows = [
        ("cases", [numbers.count(split.cases) for split in splits.values()]),
        ("patients", [numbers.count(split.patients) for split in splits.values()]),
    ]
    labels = list(dict.fromkeys(label for split in splits.values() for label in split.labels))
    shown = [
        {label: exact(n) for label, n in split.labels.items()} if exact else shown_labels(split.labels)
        for split in splits.values()
    ]
    rows += [(f"label {label}", [counts.get(label, numbers.NONE) for counts in shown]) for label in labels]
    for length in _LENGTHS:
        values = [told.lengths.get(split, {}).get(length) for split in splits]
        if any(value is not None for value in values):
            rows.append((_LENGTH_WORDS[length], [numbers.count(value) for value in values]))
    return rows


_LENGTH_WORDS = {
    "shortest": "shortest",
    "median": "median length",
    "p95": "95 of 100 are at most",
    "longest": "longest",
    "cases_cut": "cases shortened",
}
